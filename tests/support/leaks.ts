// I-01: what no answer may hold, whatever asked for it.
const names =
  /^(password|passwordhash|hash|salt|accesstoken|refreshtoken|idtoken|secret|clientsecret|secrethash|privatekey)$/
const anyName =
  /\\*"(?:password(?:_?hash)?|hash|salt|(?:access|refresh|id)_?token|(?:client_?)?secret(?:_?hash)?|private_?key)\\*"\s*:/i
const secretField =
  /<input\b(?=[^>]*\s(?:type="password"|name="\w*(?:secret|password|access_token|refresh_token|id_token)"))[^>]*\svalue="[^"]/i
const scrypt = /(?<![\da-f])[\da-f]{32}:[\da-f]{128}(?![\da-f])/

// A page has no member to go by.
const inPages: [what: string, form: RegExp][] = [
  ['a session cookie', /session_token=[^"&<]/],
  // The one of a mailed link, signed with our secret (HS256), goes with the form that the link opens.
  ['a JWT', /(?<![\w-])(?!eyJhbGciOiJIUzI1NiJ9)eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/],
  ['a secret in JSON', anyName],
  ['a secret in a field', secretField],
]

// A request of an application goes with the forms of the pages on its way: OpenID Connect Core 1.0 section 3.1.2.1.
const hint = /id_token_hint(?:=|%3D|" value=")eyJ[\w.-]+/g

/** The answers that hold a secret because it is the caller's own and asked for, by path and member. */
const given: [path: RegExp, members: RegExp][] = [
  // RFC 6749 section 5.1: the tokens are what the endpoint is for.
  [/^\/api\/auth\/oauth2\/token$/, /^(access_token|refresh_token|id_token)$/],
  // The caller's own tokens of a provider.
  [/^\/api\/auth\/(get-access-token|refresh-token)$/, /^(accessToken|refreshToken|idToken)$/],
  // The secret of a client is told when it is made, and never again.
  [/^\/api\/v1\/clients(\/[^/]+\/secret)?$/, /^secret$/],
  // Here they are the names of fields and of kinds of credentials, with no value.
  [/^\/api\/v1\/openapi(-auth)?\.json$/, /\.(properties|securitySchemes|security\.\d+)\.[a-zA-Z_]+$/],
]

/**
 * Fails where an answer tells what must stay inside: a member with the name of a secret at any depth, or a password hash.
 * @throws Error that names the member, for the test that got the answer
 */
export async function assertTellsNoSecret(path: string, response: Response): Promise<void> {
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !/json|html|text\/plain/.test(type)) return
  const text = await response.clone().text()
  const [route = ''] = path.split('?')
  if (scrypt.test(text)) throw new Error(`I-01 ${route} answers with a password hash`)
  const shown = type.includes('html') ? inPages.find(([, form]) => form.test(text.replaceAll(hint, ''))) : undefined
  if (shown) throw new Error(`I-01 ${route} answers with ${shown[0]}`)
  if (!type.includes('json') || !anyName.test(text)) return
  const members = membersOf(JSON.parse(text))
  // What is not a member of the answer is within a text of it.
  const told = members.length === 0 ? ['(in a text)'] : members
  const allowed = given.filter(([pattern]) => pattern.test(route)).map(([, member]) => member)
  const leaked = told.filter((member) => !allowed.some((pattern) => pattern.test(member)))
  if (leaked.length > 0) throw new Error(`I-01 ${route} answers with ${leaked.join(', ')}`)
}

/** The members of a JSON value that have the name of a secret, with the way to each. */
function membersOf(value: unknown, way: readonly string[] = []): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = [...way, name]
    const isNamed = names.test(name.replaceAll('_', '').toLowerCase())
    return [...(isNamed ? [here.join('.')] : []), ...membersOf(inner, here)]
  })
}

// I-07: what no line of a log may hold.
const secretForms = [scrypt, /session_token=(?!\[)/, /(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/, /\bbearer ey/i]

/** Looks through the log of a service, and its audit log, for the secrets that the tests know, and for what has the form of one. */
export interface LogWatch {
  /** Takes a token or a cookie, of which no line may hold a whole part. */
  know: (text: string) => void
  /** @throws Error with the first line, or event, that holds a secret */
  assertClean: (lines: readonly string[]) => void
}

/** The watch of one service, which knows the password of its users and its secret from the start. */
export function createLogWatch(password: string, secret: string): LogWatch {
  const parts = (text: string) => text.match(/[\w-]{24,}/g) ?? []
  const known = new Set(parts(secret))
  const holds = (line: string) =>
    line.includes(password) ||
    parts(line).some((part) => known.has(part)) ||
    // A mail that has nowhere to go is shown with its link, which may hold a token of its own.
    (!line.includes('"mail":{') && secretForms.some((form) => form.test(line)))
  return {
    know: (text) => {
      for (const part of parts(decodeURIComponent(text))) known.add(part)
    },
    assertClean(lines) {
      const line = lines.find(holds)
      if (line !== undefined) throw new Error(`I-07 the log holds a secret: ${line}`)
    },
  }
}
