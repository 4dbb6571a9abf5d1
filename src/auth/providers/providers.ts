import type { Config } from '../../config.ts'

/** A provider that people can sign in with. */
export interface Provider {
  id: string
  name: string
}

/** The providers that are configured, in the order in which they are shown. */
export function providersOf({ google, github, oidc }: Config): Provider[] {
  return [
    ...(google ? [{ id: 'google', name: 'Google' }] : []),
    ...(github ? [{ id: 'github', name: 'GitHub' }] : []),
    ...(oidc ? [{ id: 'oidc', name: oidc.name }] : []),
  ]
}
