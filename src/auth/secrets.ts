import { createHmac } from 'node:crypto'
import { isSameText } from '../http/constant-time.ts'
import type { NumberedSecret } from '../secret.ts'

/** What signs and encrypts, and what is still taken. */
export interface Secrets {
  /** What signs and encrypts from now on. */
  current: string
  /** The current one, and all those whose cookies and keys are still good. */
  all: readonly string[]
  numbered: readonly NumberedSecret[]
  /** What encrypted what has no number: the one from before there were numbers, or else the first that got one. */
  unnumbered: string
}

/** @throws Error without any */
export function createSecrets(plain: string | undefined, numbered: readonly NumberedSecret[] = []): Secrets {
  const all = [...new Set([...numbered.map(({ value }) => value), ...(plain === undefined ? [] : [plain])])]
  const [current] = all
  if (current === undefined) throw new Error('There is no secret')
  const [first] = numbered.toSorted((a, b) => a.version - b.version)
  return { current, all, numbered, unnumbered: plain ?? first?.value ?? current }
}

/** The signature of a cookie, as better-call makes it: HMAC-SHA256 in base64. */
export function signatureOf(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64')
}

/** The text of `text.signature` that one of the secrets has signed; undefined for any other. */
export function signedText(secrets: readonly string[], value: string): string | undefined {
  const at = value.lastIndexOf('.')
  const text = value.slice(0, at)
  const isOurs = at > 0 && secrets.some((secret) => isSameText(value.slice(at + 1), signatureOf(secret, text)))
  return isOurs ? text : undefined
}

/**
 * Gives what a former secret has signed, in the cookies and the bearer token of a request, the signature of the current
 * one: Better-Auth checks signatures with that alone.
 */
export function createResigner({ current, all }: Secrets): (headers: Headers) => void {
  const former = all.slice(1)
  if (former.length === 0) return () => {}
  const resigned = (value: string) => {
    const text = signedText(former, decoded(value))
    return text === undefined ? value : encodeURIComponent(`${text}.${signatureOf(current, text)}`)
  }
  return (headers) => {
    const [cookies, authorization] = [headers.get('cookie'), headers.get('authorization')]
    if (cookies)
      headers.set(
        'cookie',
        cookies.replace(/=([^;]+)/g, (_, value: string) => `=${resigned(value)}`),
      )
    const [, scheme, token] = /^(bearer +)(\S+)$/i.exec(authorization ?? '') ?? []
    if (scheme && token) headers.set('authorization', `${scheme}${resigned(token)}`)
  }
}

/** The value of a cookie without its escapes; what has none that can be read is as it is. */
export function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
