import type { AuthContext } from '@better-auth/core'

type Accounts = AuthContext['internalAdapter']

/** The account of a user that has a password, if there is one. */
export type Credential = Awaited<ReturnType<Accounts['findCredentialAccount']>>

/** Gives a user a password, in place of the one of `credential`. */
export async function storePassword(accounts: Accounts, userId: string, credential: Credential, hash: string) {
  if (credential) await accounts.updatePassword(userId, hash)
  else await accounts.createAccount({ userId, providerId: 'credential', accountId: userId, password: hash })
}
