// A second verifier of proof files, of WebCrypto alone. ARCHITECTURE.md numbers its guards, and has the why.
// It follows the owner of a unit, but not all rules of a book, and computes no authority.
//
//   node verify.mjs FILE KEY... [unit=BATCH:NUMBER] [quorum=N] [maxAge=HOURS] [today=YYYY-MM-DD] [now=MILLISECONDS]
//
// A KEY is of a log or a witness, as C2SP signed notes write it. All witnesses must have cosigned, or the quorum.

const MAX = 2n ** 63n - 1n, P = 2n ** 255n - 19n, ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const EIGHT = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n; // y of a point of order 8
const WEAK = [0n, 1n, P - 1n, EIGHT, P - EIGHT];
const NOTHING = new Uint8Array(), NONE = new Uint8Array(1); // NONE: the root of a tree that cannot be

const need = (holds, why, verdict = "proof refuted") => {
  if (!holds) throw { verdict, why };
};
const form = (holds) => need(holds, "this is no proof file");

// Bytes and trees (RFC 6962)

const join = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));
const same = (a, b) => a.join() === b.join();
const little = (bytes) => bytes.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
const eight = (number) => new Uint8Array(8).map((_, i) => Number(number >> BigInt(56 - 8 * i) & 255n));
const encode = (text) => new TextEncoder().encode(text);
const hash = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));

async function rootOf(leaf, index, size, path) {
  let root = await hash([0], leaf), last = size - 1n;
  if (index > last) return NONE;
  for (const sibling of path) {
    if (!last) return NONE;
    const isRight = index & 1n || index === last;
    root = await (isRight ? hash([1], sibling, root) : hash([1], root, sibling));
    if (isRight) while (!(index & 1n) && index) index >>= 1n, last >>= 1n;
    index >>= 1n, last >>= 1n;
  }
  return last ? NONE : root;
}
async function headOf(events) {
  let head = await hash();
  for (const { position, data } of events) head = await hash([1], head, await hash([0], data), eight(position));
  return head;
}

// Texts: one spelling for each number and each base64

const decimal = (text, limit = MAX) => {
  form(/^(0|[1-9]\d{0,18})$/.test(text) && BigInt(text) <= limit);
  return BigInt(text);
};
const base64 = (text, length) => {
  let raw;
  try { raw = atob(text); } catch { form(); }
  form(btoa(raw) === text && raw.length === (length ?? raw.length));
  return Uint8Array.from(raw, (symbol) => symbol.charCodeAt(0));
};
const utf8 = (bytes) => {
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); } catch { form(); }
};
const nameOf = (name) => (form(name && !/[\s+\0-\x1f\x7f\x85]/.test(name)), name);

// Keys, notes and cosignatures (C2SP)

async function keyOf(text) {
  const [name, id, ...rest] = text.split("+"), data = base64(rest.join("+"), 33), key = data.slice(1), type = data[0];
  const digest = await hash(encode(nameOf(name) + "\n"), data), y = little(key) & 2n ** 255n - 1n;
  form([1, 4].includes(type) && y < P && !WEAK.includes(y));
  form(id === [...digest.slice(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  return { text, name, key, type, id };
}
async function isSigned({ key }, signature, text) {
  if (signature.length !== 64 || little(signature.slice(32)) >= ORDER) return false;
  const known = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", known, signature, encode(text));
}
function noteOf(printed) {
  const split = printed.lastIndexOf("\n\n"), lines = printed.slice(split + 2).split("\n");
  form(split >= 0 && !/[\0-\x09\x0b-\x1f]/.test(printed) && lines.pop() === "" && lines.length && lines.length <= 128);
  return [printed.slice(0, split + 1), lines.map((line) => {
    const [dash, name, ...rest] = line.split(" "), data = base64(rest.join(" "));
    form(dash === "\u2014" && nameOf(name) && data.length > 4);
    return [name + little(data.slice(0, 4).reverse()).toString(16).padStart(8, "0"), data.slice(4)];
  })];
}
async function witnessed([text, lines], log, keys) {
  const by = (key) => lines.filter(([named]) => named === key.name + key.id).map(([, signature]) => signature);
  const logs = keys.filter(({ type }) => type === 1), known = logs.filter(({ name }) => name === log.name), cosigned = [];
  need(!logs.length || known.length, `you trust no log ${log.name}`, "could not check");
  need(!known.length || known.some((key) => key.text === log.text), "the log has another key than you trust");
  const [origin, size, root, ...more] = text.slice(0, -1).split("\n");
  const signed = await Promise.all(by(log).map((signature) => isSigned(log, signature, text)));
  need(signed.length && signed.every(Boolean) && origin === log.name, "the log did not sign it");
  form(root && more.every(Boolean));
  for (const key of keys.filter(({ type }) => type === 4)) {
    for (const signature of by(key)) {
      const time = little(signature.slice(0, 8).reverse()), said = `cosignature/v1\ntime ${time}\n${text}`;
      need(time <= MAX && await isSigned(key, signature.slice(8), said), "a cosignature is false");
    }
    if (by(key).length) cosigned.push(key.name);
  }
  return { size: decimal(size), root: base64(root, 32), cosigned, isTrusted: known.length };
}

// Messages of protobuf. Of several values of a field the last one counts; messages are merged.

function message(bytes) {
  const fields = {}, sound = (holds) => need(holds, "an event is malformed", "path contradicted");
  let at = 0;
  const varint = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      sound(at < bytes.length && shift < 70n);
      value |= BigInt(bytes[at] & 127) << shift;
      if (bytes[at++] < 128) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = varint(), type = Number(tag & 7n), value = type ? null : varint();
    const length = type === 2 ? Number(varint()) : { 0: 0, 1: 8, 5: 4 }[type];
    sound(length >= 0 && at + length <= bytes.length);
    (fields[`${tag >> 3n}:${type}`] ??= []).push(value ?? bytes.slice(at, at + length));
    at += length;
  }
  const all = (field) => fields[`${field}:2`] ?? [], last = (field) => all(field).at(-1) ?? NOTHING;
  return {
    has: (field) => all(field).length > 0,
    int: (field) => fields[`${field}:0`]?.at(-1) ?? 0n,
    bytes: last,
    text: (field) => utf8(last(field)),
    all: (field) => all(field).map(message),
    of: (field) => message(join(...all(field))),
  };
}
const timeOf = (found) => found.int(1) * 1000000n + found.int(2) / 1000n;
const KINDS = Array.from({ length: 29 }, (_, i) => i + 10);
const eventOf = ({ position, data }) => {
  const whole = message(data), [kind, other] = KINDS.filter(whole.has);
  need(!other, "an event is malformed", "path contradicted");
  need(kind, "an event is newer than this program", "could not check");
  return { position, data, at: timeOf(whole.of(1)), kind, is: whole.of(kind) };
};

// The file

async function parse(bytes) {
  form(bytes.length <= 2 ** 24);
  const whole = utf8(bytes), split = whole.indexOf("\n\npathbook.unit-proof@v1\n"), seal = whole.slice(0, split + 1);
  const gap = seal.indexOf("\n\n"), [header, index, ...path] = seal.slice(0, Math.max(gap, 0)).split("\n");
  form(header === "c2sp.org/tlog-proof@v1" && index?.startsWith("index ") && path.length <= 64);
  const lines = whole.slice(split).split("\n").slice(3).reverse();
  form(lines.shift() === "");
  const words = (keyword, ...limits) => {
    const [found, ...rest] = (lines.pop() ?? "").split(" ");
    form(found === keyword && rest.length === limits.length);
    return rest.map((word, i) => limits[i] ? decimal(word, limits[i]) : word);
  };
  const take = (count) => (form(count <= lines.length), Array.from({ length: Number(count) }, () => lines.pop()));
  const hashes = (count) => take(count).map((line) => base64(line, 32));
  const events = (count, last = 0n) => take(count).map((line) => {
    const [number, ...rest] = line.split(" "), position = decimal(number);
    form(position > last);
    return { position: last = position, data: base64(rest.join(" ")) };
  });
  const note = noteOf(seal.slice(gap + 2)), log = await keyOf(...words("log", 0)), parties = [];
  const [batch, number] = words("unit", 2n ** 24n - 1n, 2n ** 28n - 1n), data = base64(...words("sealed", 0));
  const custody = hashes(...words("custody", 64n)), register = hashes(...words("batch", 64n));
  const chain = events(...words("batch-events", 10000n)), own = events(...words("events", 10000n));
  const [count, root] = words("parties", 1000n, 0), roots = count ? [] : [base64(root, 32)];
  form(log.type === 1 && (root === "-" || !count));
  for (let last = -1n; parties.length < count;) {
    const [place, hops, length] = words("party", MAX, 64n, 10000n);
    form(place > last);
    parties.push({ place: last = place, path: hashes(hops), events: events(length) });
  }
  form(!lines.length);
  const seals = { position: decimal(index.slice(6)) + 1n, data, path: path.map((line) => base64(line, 32)) };
  return { note, log, batch, number, seals, custody, register, chain, own, parties, roots };
}

// From the events to the checkpoint. For each kind of event, the field that names its chain.

const BATCH = { 14: 1, 30: 2, 31: 3, 36: 1 }, PARTY = { 10: 1, 11: 2, 12: 3, 13: 2, 35: 2, 37: 1 };

async function prove({ batch, number, seals, custody, register, chain, own, parties, roots }, { size, root }) {
  need(seals.position === size, "the Sealed event is not the last leaf");
  need(same(await rootOf(seals.data, size - 1n, size, seals.path), root), "the Sealed event is not in the tree");
  const { is, kind, at } = eventOf(seals), covers = is.int(1), until = kind === 38 ? timeOf(is.of(2)) : MAX;
  need(covers < size && until <= at, "the last event seals nothing");
  let units;
  try { units = eventOf(chain[0]).is.int(5); } catch { form(); }
  const units_root = await rootOf(await headOf([chain[0], ...own]), number, units, custody);
  const leaf = join(units_root, eight(units), await headOf(chain));
  for (const { place, path, events } of parties) roots.push(await rootOf(await headOf(events), place, is.int(4), path));
  const top = await hash([1], await rootOf(leaf, batch - 1n, is.int(3), register), roots[0]);
  need(roots.every((each) => same(each, roots[0])) && same(top, is.bytes(5)), "the events do not lead to what was sealed");
  const read = (events, fields, first, isNamed) => events.map(eventOf).map((item, i) => {
    const field = fields[item.kind];
    need(field && isNamed(item.is, field) && (item.kind === first) === !i, "an event is of another chain");
    return item;
  });
  const found = { covers, until, chain: read(chain, BATCH, 14, (is, field) => is.int(field) === batch), own: own.map(eventOf) };
  const all = [...found.chain, ...found.own], names = new Set();
  for (const { events } of parties) {
    const name = events.length && eventOf(events[0]).is.text(1);
    need(name && names.size < names.add(name).size, "a party is missing, or there twice");
    all.push(...read(events, PARTY, 10, (is, field) => is.text(field) === name));
  }
  all.sort((a, b) => Number(a.position - b.position)).reduce((before, item) => {
    need(item.position <= covers && item.at <= until, "an event is later than what was sealed");
    need(item.at >= before.at && (item.position > before.position || same(item.data, before.data)), "two events contradict");
    return item;
  }, all[0]);
  return found;
}

// What the events say of the unit

function follow({ chain, own }, batch, number) {
  const has = (all) => all.some((part) => part.int(1) === batch && part.int(2) <= number && number <= part.int(3));
  const worth = (price) => [price.int(1), price.int(3) || 1n, price.text(2)], made = chain[0].is, recalls = new Set();
  let owner = made.text(3), expires = made.text(7), isLost, sold, paid;
  for (const { position, kind, is } of chain) {
    if (kind === 36) expires = is.text(4);
    if (kind === 30 && has(is.all(3))) recalls.add(position);
    if (kind === 31) recalls.delete(is.int(1));
  }
  for (const { kind, is } of own) {
    const field = { 16: 2, 20: 1, 22: 2, 24: 1 }[kind], lines = kind === 26 ? is.all(2).map((line) => line.of(2)) : [];
    const terms = field ? is.of(field) : lines.find((each) => has(each.all(3)));
    if (kind === 20 || kind === 24 || kind === 16 && has(terms.all(3))) {
      need(terms.text(1) === owner, "a unit was given by another than its owner", "path contradicted");
      owner = terms.text(2);
    }
    if (kind === 22 || kind === 26) owner = terms.text(1), sold = paid = null;
    if (kind === 24) sold = worth(terms.of(4));
    if (kind === 25) paid = worth(is.of(3));
    if (kind === 27) isLost = true;
    if (kind === 34 && is.has(10)) isLost = false;
    if (kind === 34 && is.has(11)) paid = null;
  }
  const isDisputed = sold && paid && (sold[2] !== paid[2] || sold[0] * paid[1] !== paid[0] * sold[1]);
  return { owner, expires, isLost, isDisputed, recalls: [...recalls] };
}

/** Return the verdict on the bytes of a proof file, why, and what the proof shows. */
export async function verify(bytes, keys, options = {}) {
  const { now = Date.now(), maxAge = 1e9, today = new Date(+now).toISOString().slice(0, 10) } = options;
  try {
    const trusted = await Promise.all(keys.map(keyOf)), proof = await parse(bytes), unit = `${proof.batch}:${proof.number}`;
    const seen = await witnessed(proof.note, proof.log, trusted), proven = await prove(proof, seen);
    need(unit === (options.unit ?? unit), `the proof is of unit ${unit}`);
    const found = follow(proven, proof.batch, proof.number), { covers, until } = proven, age = BigInt(now) * 1000n - until;
    const failed = [
      seen.cosigned.length < (options.quorum ?? trusted.filter(({ type }) => type === 4).length) && "too few cosigned it",
      (age < -300000000n || age > BigInt(maxAge) * 3600000000n) && "it was not sealed lately",
      found.isLost && "it was written off",
      found.recalls.length && `it is recalled at position ${found.recalls}`,
      found.expires && found.expires < today && "it has expired",
    ].filter(Boolean).join("; ");
    const why = seen.isTrusted ? failed : `no key of its log is trusted; the file names ${proof.log.text}`;
    const held = seen.isTrusted ? failed ? "verified, against policy" : "verified" : "could not check";
    const verdict = found.isDisputed ? "price contradicted" : held;
    return { verdict, why, unit, owner: found.owner, covers, until, cosigned: seen.cosigned };
  } catch (error) {
    if (error.verdict) return error;
    throw error;
  }
}

if (globalThis.process?.argv[1]?.endsWith("verify.mjs")) {
  const { readFile } = await import("node:fs/promises"), [file, ...rest] = process.argv.slice(2);
  const isOption = (word) => /^[a-zA-Z]+=/.test(word), options = rest.filter(isOption).map((word) => word.split("="));
  const report = await verify(await readFile(file), rest.filter((word) => !isOption(word)), Object.fromEntries(options));
  for (const name in report) console.log(`${name}: ${report[name]}`);
  process.exitCode = { verified: 0, "could not check": 4, "verified, against policy": 5 }[report.verdict] ?? 1;
}
