import type { Config } from '../config.ts'

/** A provider that people can sign in with. */
export interface Provider {
  id: string
  name: string
  /** Where its sign-in page is. */
  origin: string
}

/** The providers that are configured, in the order in which they are shown. */
export function providersOf({ google, github }: Config): Provider[] {
  return [
    ...(google ? [{ id: 'google', name: 'Google', origin: 'https://accounts.google.com' }] : []),
    ...(github ? [{ id: 'github', name: 'GitHub', origin: 'https://github.com' }] : []),
  ]
}
