// A second verifier of proof files, of WebCrypto alone. ARCHITECTURE.md numbers its guards, and has the why.
// It follows the owner of a unit, but not all rules of a book, and computes no authority.
//
//   node verify.mjs FILE KEY... [unit=BATCH:NUMBER] [quorum=N] [signatures=N] [maxAge=HOURS] [today=YYYY-MM-DD]
//                               [now=MILLISECONDS]
//
// A KEY is of a log or a witness, as C2SP signed notes write it. All witnesses must have cosigned, or the quorum. With
// signatures=1 or 2, so many sides must have signed each hop; one is enough for a sale, because consumers have no keys.

const MAX = 2n ** 63n - 1n, P = 2n ** 255n - 19n, ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const EIGHT = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n; // y of a point of order 8
const WEAK = [0n, 1n, P - 1n, EIGHT, P - EIGHT];
const NOTHING = new Uint8Array(), NONE = new Uint8Array(1); // NONE: the root of a tree that cannot be

const need = (holds, why, verdict = "proof refuted") => {
  if (!holds) throw { verdict, why };
};
const form = (holds) => need(holds, "this is no proof file");
const sound = (holds, why) => need(holds, why, "path contradicted");

// Bytes and trees (RFC 6962)

const join = (...parts) => new Uint8Array(parts.flatMap((part) => [...part]));
const same = (a, b) => a.join() === b.join();
const little = (bytes) => bytes.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
const eight = (number) => new Uint8Array(8).map((_, i) => Number(number >> BigInt(56 - 8 * i) & 255n));
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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
async function rootOfMany(leaves, begin, end, hashes) {
  if (!leaves.length) return hashes.shift() ?? NONE;
  if (end - begin === 1n) return leaves[0].leaf;
  let half = 1n;
  while (2n * half < end - begin) half *= 2n;
  const middle = begin + half, left = await rootOfMany(leaves.filter(({ place }) => place < middle), begin, middle, hashes);
  return hash([1], left, await rootOfMany(leaves.filter(({ place }) => place >= middle), middle, end, hashes));
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
const raw = (text) => { // bytes as a text, a symbol for each
  let found;
  try { found = atob(text); } catch { form(); }
  form(btoa(found) === text);
  return found;
};
const bytesOf = (text) => Uint8Array.from(text, (symbol) => symbol.charCodeAt(0));
const base64 = (text, length) => {
  const found = bytesOf(raw(text));
  form(found.length === (length ?? found.length));
  return found;
};
const utf8 = (bytes) => {
  try { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); } catch { form(); }
};
const nameOf = (name) => (form(name && !/[\s+\0-\x1f\x7f\x85]/.test(name)), name);

// Keys, notes and cosignatures (C2SP)

async function keyOf(text) {
  const [name, id, ...rest] = text.split("+"), data = base64(rest.join("+"), 33), key = data.slice(1), type = data[0];
  const digest = await hash(encode(nameOf(name) + "\n"), data);
  form([1, 4].includes(type) && !isWeak(key) && id === hex(digest.slice(0, 4)));
  return { text, name, key, type, id };
}
function isWeak(key) {
  const y = little(key) & 2n ** 255n - 1n;
  return key.length !== 32 || y >= P || WEAK.includes(y);
}
async function isSigned({ key }, signature, text) {
  if (signature.length !== 64 || [key, signature.slice(0, 32)].some(isWeak) || little(signature.slice(32)) >= ORDER) return false;
  const known = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", known, signature, typeof text === "string" ? encode(text) : text);
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
  return { origin, size: decimal(size), root: base64(root, 32), cosigned, isTrusted: known.length };
}

// Messages of protobuf, which are written in the one way that there is: fields in order, none twice, none longer than
// need be. So no two programs read two things from the same bytes. A shape has a letter for each field, from the first
// one on: numbers (i, n, o optional, f of a flag), s text, b bytes, k packed numbers. Other letters and words are
// messages. A large letter is repeated.

const split = (text) => text.split(" ");
const SHAPES = {
  t: "in", p: "isi", u: "RSSQ", r: "iii", q: "iis", d: "nRSi", m: "ssRpnAsfi", a: "koonn", e: "nR", l: "im", c: "nf",
  event: [..."ttbbbbin", ,], statement: [..."ssbt", , , , , ,], 34: [..."isb", , , , , , , "27", "25", "23", "21"],
};
const REQUESTS = split("sssn ssssnSstt sssitb sssssp sssssissp sstssupntsi sstsiDRSb sstsisbb sstsib sstssupnss sstsisbb sstssu sstssupns "
  + "sstsusb sstsunsb sstssu sstss sstsiRsb sstsib sssisbb sssssp sssissfp sssn");
const EVENTS = split("sn ssnSstt isst sssp isssisspb mt imESR issRb issR issR m isb ims ssR m sRp sLb sRnbR ssRS ss siRb isi ssbc isR "
  + "34 sssp isssp sn itiib sbbsbbbb sbsbb sbbbb");
EVENTS.forEach((shape, i) => SHAPES[SHAPES.event[i + 9] = `${i + 10}`] ??= shape);
REQUESTS.forEach((shape, i) => SHAPES[SHAPES.statement[i + 9] = `request ${i + 10}`] = shape);

/** Yield the fields of a message. The tags of a group are fields, too, and none of ours. */
function* fieldsOf(bytes) {
  let at = 0, isShort = true;
  const groups = [], whole = (holds) => sound(holds, "a message is malformed"), varint = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      whole(at < bytes.length && shift < 70n);
      value |= BigInt(bytes[at] & 127) << shift;
      if (bytes[at++] < 128) return isShort &&= (!shift || bytes[at - 1] > 0) && value < 2n ** 64n, BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const tag = varint(), type = Number(tag & 7n), field = Number(tag >> 3n), value = type ? null : varint();
    const length = type === 2 ? Number(varint()) : { 0: 0, 1: 8, 3: 0, 4: 0, 5: 4 }[type];
    whole(tag > 7n && tag < 2n ** 32n && length >= 0 && at + length <= bytes.length);
    if (type === 3) groups.push(field);
    if (type === 4) whole(groups.pop() === field);
    yield { field, type, value: value ?? bytes.slice(at, at + length), isShort };
    at += length;
  }
  whole(!groups.length);
}
const isPacked = (bytes) => { // whether each number is as short as can be
  let size = 0, isShort = bytes.at(-1) < 128;
  for (const byte of bytes) isShort &&= byte < 128 ? !size || byte > 0 : size < 9, size = byte < 128 ? 0 : size + 1;
  return isShort;
};
const lettersOf = (letter) => [letter?.toLowerCase(), SHAPES[letter?.toLowerCase()]];
/** Return a function of the values of fields. Note in `found` what is unknown, and what is not written in the one way. */
function message(bytes, shape, found) {
  const values = [];
  for (const { field, type, value, isShort } of fieldsOf(bytes)) {
    const letter = shape[field - 1], [one, inner] = lettersOf(letter), isNumber = "info".includes(one), isRight = type === (isNumber ? 0 : 2);
    if (!letter) found.isNewer = true;
    if (!isShort || !isRight) found.isBent = true;
    if (!letter || !isRight) continue;
    const isIn = one === "f" ? value === 1n : !"no".includes(one) || BigInt.asIntN(32, value) === value;
    const isSet = one === "o" || (isNumber ? value : inner || letter === "S" || value.length), isSingle = letter === one;
    const isNext = field >= values.length || !isSingle && field === values.length - 1, isOneOf = values.length > 10 && typeof shape !== "string";
    if (!isIn || !isSet || !isNext || isOneOf || one === "k" && !isPacked(value)) found.isBent = true;
    const read = inner ? message(value, inner, found) : one === "s" ? textOf(value) : value, nanos = one === "t" ? read(2) : 0n;
    if (nanos % 1000n || nanos < 0n || nanos >= 1000000000n) found.isBent = true;
    isSingle ? values[field] = read : (values[field] ??= []).push(read);
  }
  const is = (field) => values[field] ?? emptyOf(shape[field - 1]);
  is.has = (field) => field in values;
  return is;
}
const textOf = (bytes) => {
  try { return utf8(bytes); } catch { sound(false, "a text is malformed"); }
};
const emptyOf = (letter) => {
  const [one, inner] = lettersOf(letter);
  return letter !== one ? [] : inner ? message(NOTHING, inner) : "info".includes(one) ? 0n : one === "b" ? NOTHING : "";
};

const timeOf = (found) => found(1) * 1000000n + found(2) / 1000n;
const KINDS = Array.from({ length: 32 }, (_, i) => i + 10);
const eventOf = ({ position, data }) => {
  const found = {}, whole = message(data, SHAPES.event, found), kind = KINDS.find(whole.has);
  need(!found.isNewer, "an event is newer than this program", "could not check");
  sound(!found.isBent && kind && whole.has(1) && [3, 4].every((field) => whole(field).length === 16), "an event is malformed");
  return { position, data, at: timeOf(whole(1)), kind, is: whole(kind), whole };
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
  let before = "", repeats = 0, room = 2 ** 24;
  const repeated = (offset, length) => { // bytes of the events before, from the first place where they stand
    const piece = before.slice(offset, offset + length);
    form(length >= 24 && piece.length === length && offset + length <= 65536 && before.indexOf(piece) === offset && repeats++ < 10000);
    form((room -= length) >= 0); // before the parts are joined, because a small file could name more than the memory has
    return piece;
  };
  const stored = (text) => {
    const parts = text.split(/\((\d+):(\d+)\)/), whole = parts.map((part, i) =>
      i % 3 === 1 ? repeated(Number(decimal(part)), Number(decimal(parts[i + 1]))) : i % 3 ? "" : raw(part)).join("");
    before += whole;
    form(before.length <= 2 ** 24);
    return bytesOf(whole);
  };
  const events = (count, last = 0n) => take(count).map((line) => {
    const [number, ...rest] = line.split(" "), position = decimal(number);
    form(position > last);
    return { position: last = position, data: stored(rest.join(" ")) };
  });
  const note = noteOf(seal.slice(gap + 2)), log = await keyOf(...words("log", 0)), parties = [];
  const [batch, number] = words("unit", 2n ** 24n - 1n, 2n ** 28n - 1n), data = base64(...words("sealed", 0));
  const custody = hashes(...words("custody", 64n)), register = hashes(...words("batch", 64n));
  const chain = events(...words("batch-events", 10000n)), own = events(...words("events", 10000n));
  const [count, some] = words("parties", 1000n, 64000n), parts = hashes(some);
  form(log.type === 1);
  for (let last = -1n; parties.length < count;) {
    const [place, length] = words("party", MAX, 10000n);
    form(place > last);
    parties.push({ place: last = place, events: events(length) });
  }
  const filed = new Map(), [many] = words("filed-statements", 100000n);
  for (let last = [0n, 0n]; filed.size < many;) {
    const [keyword, ...rest] = (lines.pop() ?? "").split(" "), [position, index, size] = rest.slice(0, 3).map((word) => decimal(word));
    form(keyword === "filed" && rest.length > 3 && rest.length < 15 && position && index < size && size <= 1000n);
    form(position > last[0] || position === last[0] && index > last[1]);
    last = [position, index];
    filed.set(`${last}`, { index, size, signature: base64(rest[3], 64), path: rest.slice(4).map((word) => base64(word, 32)) });
  }
  form(!lines.length);
  const seals = { position: decimal(index.slice(6)) + 1n, data, path: path.map((line) => base64(line, 32)) };
  return { note, log, batch, number, seals, custody, register, chain, own, parties, parts, filed };
}

// From the events to the checkpoint. For each kind of event, the field that names its chain.

const BATCH = { 14: 1, 30: 2, 31: 3, 36: 1 }, PARTY = { 10: 1, 11: 2, 12: 3, 13: 2, 35: 2, 37: 1, 39: 1, 40: 1 };
const OPERATOR = { 32: 9, 39: 1, 40: 1 }; // its opening names no party

async function prove({ batch, number, seals, custody, register, chain, own, parties, parts }, { size, root }) {
  need(seals.position === size, "the Sealed event is not the last leaf");
  need(same(await rootOf(seals.data, size - 1n, size, seals.path), root), "the Sealed event is not in the tree");
  const { is, kind, at } = eventOf(seals), covers = is(1), until = kind === 38 ? timeOf(is(2)) : MAX;
  need(covers < size && until <= at, "the last event seals nothing");
  let made;
  try { made = eventOf(chain[0]); } catch { form(); }
  form(made.kind === 14);
  const units = made.is(5);
  const units_root = await rootOf(await headOf([chain[0], ...own]), number, units, custody);
  const leaf = join(units_root, eight(units), await headOf(chain));
  for (const party of parties) party.leaf = await hash([0], await headOf(party.events));
  const many = is(4), isThere = many > 0n && parties.every(({ place }) => place < many);
  const people = isThere ? await rootOfMany(parties, 0n, many, parts) : NONE;
  const top = await hash([1], await rootOf(leaf, batch - 1n, is(3), register), people);
  need(isThere && !parts.length && same(top, is(5)), "the events do not lead to what was sealed");
  const chained = (events, fields, first, isNamed) => events.map(eventOf).map((item, i) => {
    const field = fields[item.kind];
    need(field && isNamed(item.is, field) && (item.kind === first) === !i, "an event is of another chain");
    return item;
  });
  const found = { covers, until, chain: chained(chain, BATCH, 14, (is, field) => is(field) === batch), own: own.map(eventOf) };
  const all = [...found.chain, ...found.own], names = new Set();
  found.parties = [];
  for (const { place, events } of parties) {
    need(events.length, "a party is missing");
    const { kind, is } = eventOf(events[0]), name = place ? is(1) : "", first = place ? 10 : 32;
    need(kind === first && names.size < names.add(name).size, "a party is missing, or there twice");
    found.parties.push(...chained(events, place ? PARTY : OPERATOR, first, (is, field) => is(field) === name));
  }
  all.push(...found.parties);
  all.sort((a, b) => Number(a.position - b.position)).reduce((before, item) => {
    need(item.position <= covers && item.at <= until, "an event is later than what was sealed");
    need(item.at >= before.at && (item.position > before.position || same(item.data, before.data)), "two events contradict");
    return item;
  }, all[0]);
  return found;
}

// Keys: what the chains of the parties lead to

const dsse = (type, text) => `DSSEv1 ${type.length} ${type} ${encode(text).length} ${text}`;
const lines = (...all) => all.map((line) => line + "\n").join("");
const print = (bytes) => btoa(String.fromCharCode(...bytes));
const KEY = "application/vnd.pathbook.key", THREE_DAYS = 259200000000n;

async function keysOf(events, origin) {
  const parties = new Map(), taken = new Set();
  const heldBy = (name, key) => parties.get(name)?.keys.get(hex(key)), counts = (name, key) => heldBy(name, key)?.until === MAX;
  const unproven = (name, key) => parties.has(name) ? heldBy(name, key)?.unproven : name;
  const hasSay = (party, above, at) => above ? [...party.given.values()].some((given) =>
    given.by === above && given.from <= at && at < given.until && at < given.revoked) : party.isBrand || !party.given.size;
  const mayCount = (name, key) => !parties.has(name) || counts(name, key);
  function mayRegister(party, name, by, signer, key, old, at) {
    const isFirst = !old.length && ![...party.keys.values()].some(({ until }) => until === MAX);
    if (by !== name) return isFirst && name && hasSay(party, by, at) && mayCount(by, signer);
    if (same(signer, key)) return isFirst && !name;
    if (same(signer, old) && counts(name, signer)) return true;
    const held = heldBy(name, old);
    let next = held, before;
    while ((before = next?.rotated) && !same(before.recovery, signer)) next = before;
    return before && held.until === MAX && at - next.at <= THREE_DAYS;
  }
  for (const { position, kind, is, at } of events) {
    const why = `the key at position ${position} counts for nothing`, name = is(1), party = parties.get(name);
    if (kind === 32) sound(is(2) === origin, "the book has another origin"), parties.set("", { given: new Map(), keys: new Map() });
    if (kind === 10) parties.set(name, { isBrand: is(2) === 1n, given: new Map(), keys: new Map() });
    if (kind === 11) parties.get(is(2))?.given.set(position, { by: name, from: timeOf(is(6)), until: is.has(7) ? timeOf(is(7)) : MAX, revoked: MAX });
    if (kind === 12) {
      const given = parties.get(is(3))?.given.get(is(1));
      sound(given?.by === is(2) && given.revoked === MAX, `position ${position} revokes what was not given`);
      given.revoked = timeOf(is(4));
    }
    if (kind === 39) {
      const [by, key, recovery, signer, old] = [is(4), ...[2, 3, 5, 6].map(is)], id = hex(key);
      const text = lines("pathbook key v1", `origin ${origin}`, `party ${name}`, `key ${print(key)}`, `recovery ${print(recovery)}`,
        `endorser ${by}`, `endorser-key ${print(signer)}`, `replaces ${print(old)}`);
      sound(party && !isWeak(key) && !(recovery.length && isWeak(recovery)) && !same(recovery, key) && !taken.has(id), why);
      for (const [one, field] of [[key, 7], [signer, 8]]) sound(await isSigned({ key: one }, is(field), dsse(`${KEY}.v1+text`, text)), why);
      sound(mayRegister(party, name, by, signer, key, old, at), why);
      const replaced = heldBy(name, old);
      sound(party.keys.size < 1000, why);
      const rests = same(signer, key) ? undefined : unproven(by, old.length ? old : signer);
      party.keys.set(id, { from: position, at, by, recovery, rotated: same(signer, old) && replaced, until: MAX, unproven: rests });
      if (replaced) replaced.until = position;
      taken.add(id);
    }
    if (kind === 40) {
      const [by, key, signer] = [is(3), is(2), is(4)], held = heldBy(name, key);
      const text = lines("pathbook key revocation v1", `origin ${origin}`, `party ${name}`, `key ${print(key)}`, `revoker ${by}`, `revoker-key ${print(signer)}`);
      sound(held?.until === MAX && await isSigned({ key: signer }, is(5), dsse(`${KEY}-revocation.v1+text`, text)), why);
      sound(by === name ? same(signer, held.recovery) || counts(name, signer) : name && (!by || by === held.by) && mayCount(by, signer), why);
      held.until = position;
    }
  }
  const signsAt = (name, place) => [...parties.get(name)?.keys.values() ?? []].some(({ from, until }) => from <= place && place < until);
  return { heldBy, unproven, signsAt };
}

// Statements

function statementOf(bytes) {
  const found = {}, whole = message(bytes, SHAPES.statement, found), kind = KINDS.find(whole.has);
  need(!found.isNewer, "a statement is newer than this program", "could not check");
  const at = timeOf(whole(4)), isWhole = kind && whole.has(4) && at > 0n && bytes.length < 65536;
  sound(!found.isBent && isWhole, "a statement is malformed");
  return { kind, at, origin: whole(1), party: whole(2), key: whole(3), is: whole(kind) };
}

// For each kind of request: the event that it causes, the field of its actor, the pairs of fields that are the same in
// both, with ? if the request may leave it to the book, and the fields that are empty. A dot leads into a message.

const SAME = {
  10: [10, 0, "3=1 4=2"], 11: [11, 3, "3=1 4=2 5=3 7=5 9=7"], 12: [12, 3, "3=2 4=1 5?4"], 13: [13, 3, "3=2 4=1 5=3 6=4"],
  14: [14, 3, "3=3 4=2 5=4 6=5 7=6 8=7 9?8"], 15: [15, 4, "4=1.1 5=1.2 7=1.4 8=1.5 9=2 10=1.7 11=1.9"], 16: [16, 4, "5=1 4=2.2", [8]],
  17: [17, 4, "5=1 4=3 7=5", [6]], 18: [18, 4, "5=1 4=2"], 19: [20, 4, "4=1.1 5=1.2 7=1.4 8=1.5 9=1.7"], 20: [22, 4, "5=1 4=3", [6]],
  21: [23, 4, "4=1 5=2"], 22: [24, 4, "4=1.1 5=1.2 7=1.4 8=1.5 9=1.7"], 23: [26, 4, "4=1 7=3", [6]], 24: [27, 4, "4=1 6=3 8=4", [7]],
  27: [30, 4, "4=1 5=2 8=4", [7]], 28: [31, 4, "4=2 5=1"], 29: [34, 3, "3=2 4=1 6=3", [5]], 30: [35, 3, "3=2 4=1 5?3 6?4"],
  31: [36, 3, "3=2 4=1 5?3 8?5"], 32: [37, 0, "3=1 4=2"],
};
// For requests that answer an event: the fields of its position and of its leaf hash.
const ANSWERS = { 12: [4, 6], 16: [5, 9], 17: [5, 8], 18: [5, 6], 20: [5, 8], 28: [5, 6], 29: [4, 7] };
const ACTORS = new Map(Object.values(SAME).map(([cause, actor, pairs]) => [cause, pairs.match(`\\b${actor}=([\\d.]+)`)?.[1]]));
/** Return the party that acted in an event of a unit, a batch or a party, or "" for the operator or none. */
const actorOf = (kind, is) => {
  const path = kind === 33 ? "2" : ACTORS.get(kind), [field, inner] = path?.split(".").map(Number) ?? [];
  return inner ? is(field)(inner) : field ? is(field) : "";
};
const GTINS = ["13.4", "14.4", "30.4"], DELIVERIES = ["15.8", "19.8", "22.8"], UNITS = { 15: 6, 19: 6, 21: 6, 22: 6, 23: 5, 24: 5 };
const gtin = (text) => text.replace(/[ -]/g, "").padStart(14, "0"), price = (is) => [is(1), is(2), is(3) || 1n];
const listed = (all) => all.map((part) => [1, 2, 3].map(part)); // an event must list its ranges in order, and joined
const rangesOf = (all) => {
  const found = [];
  for (const [batch, first, last] of listed(all).sort((a, b) => Number(a[0] - b[0] || a[1] - b[1]))) {
    const before = found.at(-1);
    if (before?.[0] === batch && first === before[2] + 1n) before[2] = last;
    else found.push([batch, first, last]);
  }
  return found;
};
const count = (ranges) => ranges.reduce((sum, [, first, last]) => sum + last - first + 1n, 0n);
const without = (ranges, gone) => gone.reduce((left, [batch, first, last]) => left.flatMap((part) =>
  part[0] !== batch || last < part[1] || part[2] < first ? [part]
    : [[batch, part[1], first - 1n], [batch, last + 1n, part[2]]].filter(([, from, to]) => from <= to)), ranges);

/** Return whether an event is what its statement asks. */
async function isAsked({ kind, is, party }, event, { made, agreed, shown, agreedAt }) {
  const isReport = kind === 19 && event.kind === 33, [cause, actor, pairs, empty = []] = SAME[kind] ?? [];
  const by = kind === 19 && is(10) || (actor ? is(actor) : ""), what = event.is, id = encode(`${by}\0${is(2)}`);
  if (by !== party || party.includes(":") || !same((await hash(id)).slice(0, 16), event.whole(3))) return false;
  if (isReport ? what(2) !== by : cause !== event.kind || by !== (actor ? is(actor) : "")) return false;
  const occurred = event.whole.has(2) ? timeOf(event.whole(2)) : event.at, isTimed = REQUESTS[kind - 10][2] === "t";
  if (occurred !== (isTimed && is.has(3) ? timeOf(is(3)) : event.at) || empty.some(is.has)) return false;
  if (ANSWERS[kind]) {
    const [position, leaf] = [is(ANSWERS[kind][0]), is(ANSWERS[kind][1])], place = kind === 20 && agreedAt.get(position) || position;
    if (!leaf.length || shown.has(place) && !same(leaf, await hash([0], shown.get(place).data))) return false;
  }
  const terms = isReport ? agreed.get(what(1)) : what;
  if (!terms) return false;
  for (const [, field, sign, path] of pairs.matchAll(/(\d+)([=?])([\d.]+)/g)) {
    const steps = path.split(".").map(Number), said = steps.pop(), letter = REQUESTS[kind - 10][field - 1], place = `${kind}.${field}`;
    const there = isReport && steps.length ? terms : steps.reduce((at, step) => at(step), terms);
    let [asked, found] = [is(field), there(said)];
    if (sign === "?" && !is.has(field)) continue;
    if (GTINS.includes(place)) asked = gtin(asked);
    if (DELIVERIES.includes(place)) asked ||= 1n;
    if (place === "22.5") asked = `consumer:${asked}`;
    if (letter === "t") [asked, found] = [is.has(field) && timeOf(asked), there.has(said) && timeOf(found)];
    if (letter === "p") [asked, found] = [price(asked), price(found)];
    if (isReport && letter === "p") [asked, found] = [[asked[0] * found[2], asked[1]], [found[0] * asked[2], found[1]]];
    if (`${asked}` !== `${found}`) return false;
  }
  if (kind === 11) {
    const goods = [...new Set(is(6).map(gtin))].sort(), from = is.has(8) ? timeOf(is(8)) : event.at;
    return `${goods}` === `${what(4)}` && from === timeOf(what(6));
  }
  if (kind === 12 && !is.has(5)) {
    const given = shown.get(what(1)), end = timeOf(what(4)), isGiven = given?.kind === 11 && given.is(2) === what(3);
    const from = isGiven ? timeOf(given.is(6)) : end;
    return end === (from > event.at ? from : event.at);
  }
  if (kind === 31) return (is(7) ? "" : is(6) || what(4)) === what(4);
  if (kind === 16) {
    const stated = is(6), said = what(3), extra = rangesOf(is(7));
    return stated.length === said.length && `${extra}` === `${listed(what(5))}` && stated.every((claim, i) => {
      const ranges = rangesOf(claim(2)), found = listed(said[i](2)), isSame = ranges.length ? `${ranges}` === `${found}` : claim(4) === count(found);
      return isSame && claim(1) === said[i](1) && !claim.has(3);
    });
  }
  if (kind === 27) {
    const ranges = rangesOf(is(6)), whole = [[made.is(1), 0n, made.is(5) - 1n]];
    return `${ranges.length ? ranges : whole}` === `${listed(what(3))}`;
  }
  if (!UNITS[kind]) return true;
  const units = is(UNITS[kind]), named = rangesOf(units(1));
  const raw = rangesIn(event.kind, what), all = rangesOf(raw);
  if (event.kind !== 26 && `${all}` !== `${listed(raw)}`) return false;
  const chosen = without(all, named), counts = units(4), byCase = units.has(3);
  if ([15, 20, 24].includes(event.kind) && what(1)(8) !== BigInt(counts.length > 0)) return false;
  if ([20, 24].includes(event.kind) && what(1)(9)) return false; // only an offer allows extra units
  if (units.has(2) || count(chosen) + count(named) !== count(all)) return false;
  const left = new Map(), wanted = new Map(), add = (map, key, more) => map.set(key, (map.get(key) ?? 0n) + more);
  for (const [batch, first, last] of chosen) add(left, batch, last - first + 1n);
  for (const each of counts) each(2) ? add(left, each(2), -each(1)) : add(wanted, gtin(each(3)), each(1));
  if ([...left.values()].some((each) => each < 0n)) return false;
  add(wanted, made.is(2), -(left.get(made.is(1)) ?? 0n));
  left.delete(made.is(1));
  const unknown = [...left.values()].reduce((sum, each) => sum + each, 0n), missing = [...wanted.values()].reduce((sum, each) => each > 0n ? sum + each : sum, 0n);
  return byCase ? missing <= unknown : missing === unknown && ![...wanted.values()].some((each) => each < 0n);
}

/** Check all statements. Return the positions of the events whose statements count. */
async function signed({ chain, own, parties }, { origin }, filed, known) {
  const shown = new Map([...chain, ...own, ...parties].map((event) => [event.position, event]));
  const ordered = [...parties].sort((a, b) => Number(a.position - b.position)), keys = await keysOf(ordered, origin);
  const counted = new Set(), asked = new Set(), left = new Map(filed), mustSign = ordered[0]?.kind === 32 && ordered[0].is(4)(2);
  for (const { position, whole, kind, is } of shown.values()) {
    const [isOne, place, index] = [whole(5).length, whole(7), whole(8)], isFiled = place > 0n && index >= 0n && !whole(6).length;
    const isAlone = !place && !index && whole(6).length === 64;
    sound(isOne ? isFiled || isAlone : !place && !index && !whole(6).length, "an event is malformed");
    const request = hex(whole(3)), by = actorOf(kind, is);
    sound(!isOne || asked.size < asked.add(request).size, "two events answer one request");
    const isFree = isOne || !by || by.includes(":") || !mustSign && !keys.signsAt(by, position);
    sound(isFree, `${by} did not sign at position ${position}, which is demanded`);
  }
  for (const event of shown.values()) {
    const bytes = event.whole(5), place = event.whole(7);
    if (!bytes.length) continue;
    const { position, at } = event, said = statementOf(bytes), { party, key } = said;
    sound(said.origin === origin && at - said.at >= -300000000n && at - said.at <= 2592000000000n, "a statement is for another book or time");
    sound(await isAsked(said, event, { ...known, shown }), `the event at position ${position} is not what its statement asks`);
    if (place) {
      const id = `${place},${event.whole(8)}`, item = left.get(id);
      need(item, "a statement has no signature in the file");
      sound(place < position, "a statement was filed after its event");
      left.delete(id);
      const root = await rootOf(bytes, item.index, item.size, item.path);
      const text = lines("pathbook statements v1", `origin ${origin}`, `party ${party}`, `key ${print(key)}`, `size ${item.size}`, `root ${print(root)}`);
      const type = "application/vnd.pathbook.statements.v1+text";
      need(root !== NONE && await isSigned({ key }, item.signature, dsse(type, text)), "a statement was not signed with those others");
    } else {
      const type = `DSSEv1 46 application/vnd.pathbook.statement.v1+protobuf ${bytes.length} `;
      sound(await isSigned({ key }, event.whole(6), join(encode(type), bytes)), `the statement of position ${position} is not signed`);
    }
    if (keys.unproven(party, key) !== undefined) continue;
    const held = keys.heldBy(party, key);
    sound(held && held.from <= position && position < held.until, `the key did not count at position ${position}`);
    counted.add(position);
  }
  need(!left.size, "a signature in the file is of no event");
  return counted;
}
// What the events say of the unit

/** Return the lists of ranges in which an event changes units. It names each of these units once. */
const rangesIn = (kind, is) => {
  if ([15, 20, 24].includes(kind)) return is(1)(3);
  if (kind === 22) return is(2)(3);
  if (kind === 26) return is(2).flatMap((line) => line(2)(3));
  if (kind === 34) return [[10, 27], [11, 25], [12, 23]].flatMap(([field, declared]) => rangesIn(declared, is(field)));
  return is({ 17: 4, 18: 4, 19: 4, 23: 3, 25: 2, 27: 2, 33: 3 }[kind]);
};

function follow({ chain, own }, batch, number) {
  const named = (all) => all.filter((part) => part(1) === batch && part(2) <= number && number <= part(3)).length;
  const has = (all) => named(all) > 0, worth = (price) => [price(1), price(3) || 1n, price(2)];
  const made = chain[0].is, recalls = new Set(), hops = [], agreed = new Map(), attested = new Map(), agreedAt = new Map(), undone = [];
  const offer = (terms) => `${[worth(terms(4)), terms(5), terms(8), terms(9), terms(2), terms(7)]}`;
  const price = (terms) => `${[worth(terms(4)), terms(1), terms(2)]}`;
  let owner = made(3), expires = made(7), open = null, isLost, sold, paid;
  for (const { position, kind, is } of chain) {
    if (kind === 36) expires = is(4);
    sound(kind !== 30 || is.has(3), `position ${position} recalls no units`);
    if (kind === 30 && has(is(3))) recalls.add(position);
    if (kind === 31) recalls.delete(is(1));
  }
  const isInStock = () => !open && !isLost && !owner.includes(":");
  const move = (position, transfer, terms, isSale) => {
    hops.push({ transfer, terms, giver: transfer, receiver: transfer !== position && position, needed: isSale ? 1 : 2 });
    agreed.set(transfer, terms);
    owner = terms(2);
  };
  for (const { position, kind, is } of own) {
    const why = `the event at position ${position} cannot follow`, transfer = is(1);
    sound(position > chain[0].position, why);
    if (kind === 16) {
      const terms = is(2), isMoved = named(terms(3)), isLeft = has(is(3).flatMap((claim) => claim(2)));
      sound(isMoved + isLeft === 1 && terms(1) === owner, why);
      if (!has(is(5))) sound(open?.position === transfer && offer(open.terms) === offer(terms), why);
      else {
        const wasIn = [chain[0], ...own].some((each) => each.position === transfer) || hops.some((hop) => hop.transfer === transfer);
        sound(isMoved && isInStock() && !terms(2).includes(":") && !wasIn, why);
      }
      open = null;
      agreedAt.set(transfer, position);
      if (isMoved) move(position, transfer, terms), attested.set(transfer, position);
      continue;
    }
    sound(named(rangesIn(kind, is)) === 1, why);
    if ([15, 20, 24].includes(kind)) {
      const terms = is(1);
      sound(isInStock() && terms(1) === owner && terms(2).includes(":") === (kind === 24), why);
      if (kind === 15) open = { position, terms };
      else move(position, position, terms, kind === 24);
      if (kind === 24) sold = worth(terms(4));
    }
    if ([17, 18, 19].includes(kind)) {
      sound(open?.position === transfer && is(2) === owner && is(3) === open.terms(2), why);
      open = null;
    }
    if (kind === 22 || kind === 26) {
      const line = kind === 22 ? is : is(2).find((each) => has(each(2)(3))), hop = hops.pop(), by = is(kind === 22 ? 3 : 1);
      sound((kind === 22 ? isInStock() : !open && !isLost) && hop?.transfer === line(1) && price(hop.terms) === price(line(2)), why);
      sound(by === owner || kind === 22 && by === hop.terms(1), why);
      undone.push({ position, transfer: hop.transfer, isByLoser: by === owner });
      owner = hop.terms(1), sold = paid = null;
    }
    if (kind === 33) {
      sound(agreed.get(transfer)?.(2) === is(2) && !is(2).includes(":") && !attested.has(transfer), why);
      attested.set(transfer, position);
      for (const hop of hops) if (hop.transfer === transfer) hop.receiver = position;
    }
    if (kind === 25) sound(is(1) === owner, why), paid = worth(is(3));
    if (kind === 27) isLost = true;
    if (kind === 34 && is.has(10)) isLost = false;
    if (kind === 34 && is.has(11)) paid = null;
  }
  const isDisputed = sold && paid && (sold[2] !== paid[2] || sold[0] * paid[1] !== paid[0] * sold[1]);
  return { owner, expires, isLost, isDisputed, recalls: [...recalls], hops, agreed, agreedAt, attested, undone };
}

/** Return the verdict on the bytes of a proof file, why, and what the proof shows. */
export async function verify(bytes, keys, options = {}) {
  const { now = Date.now(), maxAge = 1e9, today = new Date(+now).toISOString().slice(0, 10) } = options;
  try {
    const trusted = await Promise.all(keys.map(keyOf)), proof = await parse(bytes), unit = `${proof.batch}:${proof.number}`;
    const seen = await witnessed(proof.note, proof.log, trusted), proven = await prove(proof, seen);
    need(unit === (options.unit ?? unit), `the proof is of unit ${unit}`);
    const found = follow(proven, proof.batch, proof.number), { covers, until } = proven, age = BigInt(now) * 1000n - until;
    const counted = await signed(proven, seen, proof.filed, { made: proven.chain[0], agreed: found.agreed, agreedAt: found.agreedAt });
    const paths = new Set(proven.own.map(({ position }) => position).filter((position) => counted.has(position)));
    const by = found.hops.map(({ giver, receiver }) => [paths.has(giver) && "giver", paths.has(receiver) && "receiver"].filter(Boolean));
    const needed = BigInt(options.signatures ?? 0), few = by.some((all, i) => all.length < Math.min(Number(needed), found.hops[i].needed));
    const withStatement = new Set(proven.own.filter(({ whole }) => whole.has(5)).map(({ position }) => position));
    const isSilent = needed && found.undone.some(({ position, transfer, isByLoser }) =>
      withStatement.has(found.attested.get(transfer)) && !(isByLoser && paths.has(position)));
    const failed = [
      few && "too few signed a hop",
      isSilent && "a signed hop was undone by the operator's word",
      seen.cosigned.length < (options.quorum ?? trusted.filter(({ type }) => type === 4).length) && "too few cosigned it",
      (age < -300000000n || age > BigInt(maxAge) * 3600000000n) && "it was not sealed lately",
      found.isLost && "it was written off",
      found.recalls.length && `it is recalled at position ${found.recalls}`,
      found.expires && found.expires < today && "it has expired",
    ].filter(Boolean).join("; ");
    const why = seen.isTrusted ? failed : `no key of its log is trusted; the file names ${proof.log.text}`;
    const held = seen.isTrusted ? failed ? "verified, against policy" : "verified" : "could not check";
    const verdict = found.isDisputed ? "price contradicted" : held;
    const hops = by.map((all) => all.join(" and ") || "none");
    return { verdict, why, unit, owner: found.owner, covers, until: new Date(Number(until / 1000n)).toISOString(), cosigned: seen.cosigned, signed: hops };
  } catch (error) {
    if (error.verdict) return error;
    throw error;
  }
}

if (globalThis.process?.argv[1]?.endsWith("verify.mjs")) {
  const { readFile } = await import("node:fs/promises"), [file, ...rest] = process.argv.slice(2);
  const isOption = (word) => /^[a-zA-Z]+=/.test(word), options = rest.filter(isOption).map((word) => word.split("="));
  const report = await verify(await readFile(file), rest.filter((word) => !isOption(word)), Object.fromEntries(options));
  for (const name in report) if (`${report[name]}`) console.log(`${name}: ${[report[name]].flat().join(", ")}`);
  process.exitCode = { verified: 0, "could not check": 4, "verified, against policy": 5 }[report.verdict] ?? 1;
}
