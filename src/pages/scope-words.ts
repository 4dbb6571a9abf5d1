import { scopeMeanings } from '../auth/permissions.ts'

const words: Record<string, string> = {
  openid: 'know who you are',
  profile: 'see your name and your picture',
  email: 'see your e-mail address',
  offline_access: 'stay connected when you are not here, until you end it',
  ...scopeMeanings,
}

/** What scopes allow, in words that go on from "would like to". A scope without words is shown as it is. */
export function permissionsIn(scopes: readonly string[]): string[] {
  return scopes.map((scope) => words[scope] ?? scope)
}
