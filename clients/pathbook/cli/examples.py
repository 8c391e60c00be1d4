"""One example for each verb, as its help shows it. The tests parse each of them."""

from typing import Final

EXAMPLES: Final = {
    "demo": "pathbook demo",
    "serve": "pathbook serve --data books --listen 127.0.0.1:50551",
    "verify": "pathbook verify 000020000021N0TH6Y7Y --unsold",
    "path": "pathbook path 1:90",
    "ladder": "pathbook ladder --gtin 06901234500011",
    "stock": "pathbook stock agent-5",
    "book open": "pathbook book open masks --data books",
    "book show": "pathbook book show masks",
    "book list": "pathbook book list --data books",
    "party register": "pathbook party register agent-1 --kind agent",
    "party authorize": "pathbook party authorize agent-1 --upline mask-brand --tier 1",
    "party revoke": "pathbook party revoke 5 --upline mask-brand --from 2026-05-01",
    "party show": "pathbook party show agent-1",
    "party list": "pathbook party list",
    "product register": (
        "pathbook product register 06901234500011 --brand mask-brand --name 'Silk mask' --price '300 CNY'"
    ),
    "product show": "pathbook product show 06901234500011",
    "product list": "pathbook product list",
    "batch commission": (
        "pathbook batch commission 06901234500011 --brand mask-brand --lot M26-A --size 100"
        " --made-on 2026-05-01"
    ),
    "batch show": "pathbook batch show 1",
    "batch list": "pathbook batch list --gtin 06901234500011",
    "batch recall": "pathbook batch recall 1 --brand mask-brand --units 1:0-9",
    "batch lift": "pathbook batch lift 34 --brand mask-brand",
    "codes": "pathbook codes 1:0-99 --form link --domain id.example.com",
    "key list": "pathbook key list --data books",
    "key rotate": "pathbook key rotate --data books",
    "case pack": "pathbook case pack 106141411234567897 --party mask-brand --units 1:0-9",
    "case unpack": "pathbook case unpack 106141411234567897 --party agent-1",
    "case show": "pathbook case show 106141411234567897",
    "transfer show": "pathbook transfer show 33",
    "transfer list": "pathbook transfer list agent-2 --status offered",
    "offer": "pathbook offer --giver agent-1 --receiver agent-2 --units 1:0-9 --price '180 CNY'",
    "accept": "pathbook accept 21 --receiver agent-2 --short 1:9",
    "decline": "pathbook decline 21 --receiver agent-2 --note 'too late'",
    "withdraw": "pathbook withdraw 21 --giver agent-1",
    "record": (
        "pathbook record --giver agent-1 --receiver agent-2 --count 10 --of 1"
        " --price '180 CNY' --occurred-at 2026-05-01"
    ),
    "reverse": "pathbook reverse 22 --party agent-1 --note 'wrong units'",
    "deliver": "pathbook deliver --custodian mask-brand --receiver agent-5 --units 1:90-99",
    "sell": "pathbook sell --seller agent-5 --consumer c-7 --units 1:0 --price '300 CNY'",
    "confirm": "pathbook confirm --consumer c-7 --units 1:0 --paid '300 CNY'",
    "return": "pathbook return --owner consumer:c-7 --units 1:0",
    "write-off": "pathbook write-off --party agent-5 --units 1:1 --state damaged",
    "correct event": "pathbook correct event 35 --by agent-5 --note 'wrong units'",
    "correct product": "pathbook correct product 06901234500011 --brand mask-brand --price '280 CNY'",
    "correct batch": "pathbook correct batch 1 --brand mask-brand --expires-on 2028-05-01",
    "correct party": "pathbook correct party agent-1 --kind shop",
    "correction list": "pathbook correction list --batch 1",
    "import": "pathbook import sales.csv --recipe iowa",
    "events read": "pathbook events read --after 20 --limit 10",
    "events follow": "pathbook events follow --output jsonl",
    "views follow": "pathbook views follow --data books",
    "views rebuild": "pathbook views rebuild --data books",
    "views show": "pathbook views show --data books",
    "bench": "pathbook bench --quick",
    "completion": "pathbook completion bash",
    "holders": "pathbook holders --gtin 06901234500011 --lot M26-A",
    "offers": "pathbook offers agent-1 --waiting",
    "request show": "pathbook request show order-4711 --party mask-brand",
    "server version": "pathbook server version --server 127.0.0.1:50551",
    "clock show": "pathbook clock show --data books",
    "clock confirm": "pathbook clock confirm --data books --today 2026-05-01",
    "publish": "pathbook publish --to public",
    "backup": "pathbook backup backup-2026-05-01 --data books --passphrase-file secret",
    "restore": "pathbook restore backup-2026-05-01 --data restored --passphrase-file secret",
    "check": "pathbook check --data books",
}
"""For each verb, as it is typed behind `pathbook`, a command line."""
