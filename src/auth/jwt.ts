import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { jsonFault } from '../http/json.ts'

const maxTokenChars = 8_192
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// Every claim that is read is typed here, whoever minted the token. Times are whole seconds since the epoch (RFC 7519 section 2).
const time = z.int().min(0).max(253_402_300_799)
// Nothing that the database or the log could take for something else.
const plain = z.string().regex(/^\P{Cc}*$/u)
const name = plain.min(1).max(255)
const Header = z.object({
  alg: z.string(),
  kid: name.optional(),
  typ: z.string().optional(),
  // A token within a token. @see RFC 8725 section 3.11
  cty: z.undefined().optional(),
  crit: z.undefined().optional(),
  b64: z.undefined().optional(),
})
const Claims = z.object({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  sub: name,
  iat: time,
  exp: time,
  nbf: time.optional(),
  // The OAuth provider writes null where a session is over.
  sid: name.nullish().transform((sid) => sid ?? undefined),
  jti: plain.optional(),
  client_id: name.optional(),
  scope: plain.optional(),
})

export type JwtHeader = z.infer<typeof Header>
export type Claims = z.infer<typeof Claims>

/** A token taken apart; its signature is not checked. */
export interface DecodedJwt {
  header: JwtHeader
  claims: Claims
  /** What is signed. @see RFC 7515 section 5.1 */
  signingInput: string
  signature: Buffer
}

/**
 * Reads a JWS in its one canonical spelling: base64url without padding or spare bits, UTF-8, no duplicate member, no
 * half of a surrogate pair, no `__proto__`, and the required claims with their types, without control characters, so
 * that no second string passes for the same token.
 * @returns undefined when it is anything else
 * @see RFC 7515 section 7.1, RFC 8725 section 2.4
 */
export function decodeJwt(token: string): DecodedJwt | undefined {
  if (token.length > maxTokenChars) return undefined
  const [header, payload, last, ...rest] = token.split('.')
  if (!header || !payload || !last || rest.length > 0) return undefined
  const signature = decodeSegment(last)
  if (!signature) return undefined
  const parsedHeader = parseHeader(header)
  const parsedClaims = Claims.safeParse(parseObject(decodeSegment(payload)))
  if (!parsedHeader || !parsedClaims.success) return undefined
  const signingInput = token.slice(0, -last.length - 1)
  return { header: parsedHeader, claims: parsedClaims.data, signingInput, signature }
}

// All tokens of a kind that a key signed have one header.
const headers = new LRUCache<string, JwtHeader>({ max: 100 })

function parseHeader(segment: string): JwtHeader | undefined {
  const known = headers.get(segment)
  if (known) return known
  const parsed = Header.safeParse(parseObject(decodeSegment(segment)))
  if (!parsed.success) return undefined
  const header = Object.freeze(parsed.data)
  headers.set(segment, header)
  return header
}

function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.toString('base64url') === segment ? bytes : undefined
}

function parseObject(bytes: Buffer | undefined): unknown {
  if (!bytes) return undefined
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    // What comes out as it went in has lost no member: the usual case, and the quickest to see.
    const isPlain = JSON.stringify(value) === text && !/\\|__proto__/.test(text)
    return isPlain || jsonFault(text, isUnambiguous) === undefined ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether every reader takes a string of a token for the same. @see RFC 8259 section 8.2 */
function isUnambiguous(text: string, isMember: boolean): boolean {
  return text.isWellFormed() && !(isMember && text === '__proto__')
}
