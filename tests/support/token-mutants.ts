import fc from 'fast-check'

const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const beside = [...'+/=.,;%&"\'\\', ' ', '\t', '\n', '\r\n', '\0', '\u00a0', '\u200b', '\u2028', '\ufeff', '%2e', '..']

/** Text that is nearly a token: what comes of it by one change, or of two by putting parts of both together. */
export function mutantsOf(good: string, other: string): fc.Arbitrary<string> {
  const at = fc.nat(good.length - 1)
  const sign = fc.constantFrom(...alphabet, ...beside)
  const put = (position: number, text: string, length: number) =>
    good.slice(0, position) + text + good.slice(position + length)
  const changes = [
    fc.tuple(at, fc.nat(6)).map(([position, bit]) => put(position, flipped(good, position, bit), 1)),
    fc.tuple(at, sign).map(([position, text]) => put(position, text, 1)),
    fc.tuple(at, sign).map(([position, text]) => put(position, text, 0)),
    at.map((position) => put(position, '', 1)),
    at.map((position) => put(position, good.charAt(position).repeat(2), 1)),
    at.map((position) => good.slice(0, position)),
    at.map((position) => good.slice(position + 1)),
    fc
      .tuple(fc.string({ minLength: 1, maxLength: 8 }), fc.boolean())
      .map(([text, isBefore]) => (isBefore ? text + good : good + text)),
    sign.map((text) => good + text),
    sign.map((text) => text + good),
    fc
      .tuple(at, fc.boolean())
      .map(([position, isFirst]) =>
        isFirst ? good.slice(0, position) + other.slice(position) : other.slice(0, position) + good.slice(position),
      ),
    fc
      .tuple(at, at)
      .map(([from, to]) =>
        put(Math.min(from, to), other.slice(Math.min(from, to), Math.max(from, to)), Math.abs(to - from)),
      ),
    at.map((position) => put(position, otherCase(good.charAt(position)), 1)),
    fc.constantFrom(good.toUpperCase(), good.toLowerCase(), good + good, [...good].reverse().join('')),
    at.map((position) => put(position, String.fromCodePoint(good.charCodeAt(position) + 0xfee0), 1)),
    fc.constantFrom(...lookAlikes.map(([from, to]) => good.replace(from, to))),
    at.map((position) => put(position, encodedOctet(good.charCodeAt(position)), 1)),
  ]
  return fc.oneof(...changes, fc.constantFrom(...respelled(good))).filter((text) => text !== good && text !== other)
}

/** Every change of one character of a token, by each of its bits. */
export function* everyFlip(good: string): Generator<string> {
  for (let position = 0; position < good.length; position++) {
    for (let bit = 0; bit < 7; bit++) {
      yield good.slice(0, position) + flipped(good, position, bit) + good.slice(position + 1)
    }
  }
}

/** Mutants of a JWS in compact form: besides, what takes its parts for another form, or says something else in them. */
export function jwtMutantsOf(good: string, other: string): fc.Arbitrary<string> {
  const parts = good.split('.')
  const [header = '', payload = '', signature = ''] = parts
  const others = other.split('.')
  const swapped = [0, 1, 2].flatMap((n) => [
    parts.with(n, others[n] ?? ''),
    parts.with(n, ''),
    parts.with(n, parts[0] ?? ''),
  ])
  const forms = [
    ...swapped.map((some) => some.join('.')),
    parts.toReversed().join('.'),
    parts.join('..'),
    `.${good}`,
    `${good}.`,
    `${header}.${payload}`,
    `${header}..${signature}`,
    `${good}.${payload}.${signature}`,
    `${header}.${payload}.${signature}.${signature}.${signature}`,
    JSON.stringify({ protected: header, payload, signature }),
    JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
    JSON.stringify({ protected: header, iv: '', ciphertext: payload, tag: signature, encrypted_key: '' }),
    JSON.stringify(good),
    ...parts.flatMap((part, n) => reencoded(part).map((text) => parts.with(n, text).join('.'))),
  ]
  const edited = fc.tuple(fc.constantFrom(0, 1), memberChange).map(([n, [name, value]]) => {
    const json = JSON.parse(decoded(parts[n] ?? '')) as object
    return parts.with(n, toBase64(JSON.stringify({ ...json, [name]: value }))).join('.')
  })
  return fc
    .oneof({ weight: 4, arbitrary: mutantsOf(good, other) }, fc.constantFrom(...forms), edited)
    .filter((text) => text !== good && text !== other)
}

const memberChange = fc.tuple(
  fc.constantFrom(
    'alg',
    'kid',
    'typ',
    'cty',
    'crit',
    'jwk',
    'jku',
    'x5u',
    'b64',
    'zip',
    'enc',
    'exp',
    'sub',
    'sid',
    'aud',
    'role',
  ),
  fc.oneof(
    fc.constantFrom('none', 'HS256', 'RS256', 'ES256', 'EdDSA', 'JWT', 'at+jwt', '', null, true, 0, 9e15),
    fc.jsonValue(),
  ),
)

const decoded = (part: string) => Buffer.from(part, 'base64url').toString()
const toBase64 = (text: string) => Buffer.from(text).toString('base64url')

/** The same bytes in another spelling, and the same JSON in other bytes. */
function reencoded(part: string): string[] {
  const last = alphabet.indexOf(part.at(-1) ?? '')
  const spare = [0, 0, 4, 2][part.length % 4] ?? 0
  const twins = Array.from({ length: 2 ** spare }, (_, n) => alphabet[((last >> spare) << spare) + n] ?? '')
  const json = decoded(part)
  return [
    ...twins.map((twin) => part.slice(0, -1) + twin),
    `${part}=`,
    `${part}==`,
    `${part}A`,
    Buffer.from(part, 'base64url').toString('base64'),
    Buffer.from(part, 'base64url').toString('hex'),
    ...(json.startsWith('{')
      ? [toBase64(` ${json}`), toBase64(`${json}\n`), toBase64(json.replace(':', ': ')), json]
      : []),
  ].filter((text) => text !== part)
}

/** Other spellings of what a token may be made of, wherever a reader is generous. */
function respelled(good: string): string[] {
  const end = good.at(-1) === '=' ? good.slice(0, -1) : good
  const last = alphabet.indexOf(end.at(-1) ?? '')
  const twins = [1, 2, 3].map((n) => end.slice(0, -1) + (alphabet[last ^ n] ?? '') + good.slice(end.length))
  return [
    ...twins,
    end,
    `${end}==`,
    good.replaceAll('+', '-').replaceAll('/', '_'),
    good.replaceAll('-', '+').replaceAll('_', '/'),
    encodeURIComponent(good),
    encodeURIComponent(encodeURIComponent(good)),
    good.replaceAll('.', '%2e'),
    good.replaceAll('.', '..'),
    `"${good}"`,
    `Bearer ${good}`,
    '',
    '.',
  ]
}

const lookAlikes: [string, string][] = [
  ['.', '\u3002'],
  ['.', '\uff0e'],
  ['.', '\u2024'],
  ['e', '\u0435'],
  ['a', '\u0430'],
  ['o', '\u03bf'],
  ['K', '\u212a'],
  ['i', '\u0131'],
  ['s', '\u017f'],
]

function flipped(text: string, position: number, bit: number): string {
  return String.fromCodePoint(text.charCodeAt(position) ^ (1 << bit))
}

function otherCase(sign: string): string {
  return sign === sign.toUpperCase() ? sign.toLowerCase() : sign.toUpperCase()
}

function encodedOctet(octet: number): string {
  return `%${octet.toString(16).padStart(2, '0')}`
}
