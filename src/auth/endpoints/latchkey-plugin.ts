import type { HookEndpointContext } from '@better-auth/core'
import type { BetterAuthPlugin } from 'better-auth'
import {
  APIError,
  accountInfo,
  changePassword,
  createAuthMiddleware,
  deleteUser,
  getAccessToken,
  linkSocialAccount,
  refreshToken,
  requestPasswordReset,
  resetPassword,
  revokeOtherSessions,
  revokeSession,
  revokeSessions,
  signUpEmail,
  unlinkAccount,
  updateUser,
} from 'better-auth/api'
import { setSessionCookie } from 'better-auth/cookies'
import type { Db } from '../../db/database.ts'
import type { Log } from '../../log.ts'
import type { Mailer } from '../../mail/mailer.ts'
import type { Messages } from '../../mail/messages.ts'
import { findAuthority, slideSession } from '../authority/authority.queries.ts'
import type { BanNotices } from '../ban-notice.ts'
import { tellCaller } from '../caller.ts'
import { refused } from '../endpoint.ts'
import type { SignInTurns } from '../hashing/sign-in-turns.ts'
import { providerHooks } from '../providers/hooks.ts'
import { bindGoogleIdToken } from '../providers/id-token.ts'
import type { Provider } from '../providers/providers.ts'
import { noteVerification, providerSignIn } from '../providers/sign-in.ts'
import type { SessionCookies } from '../session-cookie.ts'
import { findPasswordHash } from './account.queries.ts'
import { hasJustSignedIn, keepsWayIn } from './account-hooks.ts'
import { emailChange } from './email-change.ts'
import { emailVerification } from './email-verification.ts'
import { evenly } from './even-answer.ts'
import { endFormerSession } from './former-session.ts'
import { type GuardEndpoint, notImpersonating, type Rule } from './guard.ts'
import { checksOwn, hashAhead, ownerOf } from './hash-ahead.ts'
import { assertMail, type SendAfterCommit } from './mail-callbacks.ts'
import { type PasswordBudget, rememberSignIn } from './password-budget.ts'
import { checkPasswordReset, preparePasswordReset } from './password-reset.ts'
import { assertPassword, assertProfile } from './profile-hooks.ts'
import { endsOthers, hideTokens, listsSessions, namesOwnSession } from './session-lists.ts'
import { isSignIn, tellSignIn } from './sign-in-told.ts'
import { mayEndUnconfirmed, rememberUnconfirmed } from './unconfirmed-browser.ts'

interface LatchkeyDependencies {
  db: Db
  messages: Messages
  baseUrl: string
  guard: GuardEndpoint
  passwordBudget: PasswordBudget
  sessionCookies: SessionCookies
  mailer: Mailer
  signInTurns: SignInTurns
  send: SendAfterCommit
  providers: readonly Provider[]
  banNotices: BanNotices
  log: Log
}

/** What this service changes in Better-Auth's own endpoints. An endpoint here replaces the one of the same name there. */
export function latchkeyPlugin(dependencies: LatchkeyDependencies) {
  const { db, guard, passwordBudget, sessionCookies, mailer, send, messages, providers, log } = dependencies
  const signUp = hashAhead(signUpEmail())
  return {
    id: 'latchkey',
    init({ socialProviders }) {
      for (const provider of socialProviders) {
        bindGoogleIdToken(provider, log)
        noteVerification(provider)
      }
    },
    endpoints: {
      changePassword: guard(changePassword, {
        rules: [notImpersonating, endsOtherSessions],
        prepare: checksOwn(passwordBudget, 'currentPassword'),
      }),
      resetPassword: preparePasswordReset(guard(resetPassword, { changesAuthority: true })),
      checkPasswordReset,
      requestPasswordReset: evenly(requestPasswordReset),
      // Without mail a sign-up says itself that an address is taken.
      signUpEmail: mailer.isReal ? evenly(signUp) : signUp,
      deleteUser: guard(deleteUser, {
        rules: [notImpersonating, asksForPassword],
        prepare: checksOwn(passwordBudget, 'password'),
      }),
      revokeSessions: guard(revokeSessions, { rules: [notImpersonating, endsOthers] }),
      revokeOtherSessions: guard(revokeOtherSessions, { rules: [notImpersonating, endsOthers] }),
      linkSocialAccount: guard(linkSocialAccount, { ...asksProvider, rules: [notImpersonating, hasJustSignedIn] }),
      unlinkAccount: guard(unlinkAccount, { rules: [notImpersonating, keepsWayIn(providers)], changesAuthority: true }),
      updateUser: guard(updateUser(), { rules: [notImpersonating, changesProfile] }),
      revokeSession: guard(revokeSession, { rules: [notImpersonating, namesOwnSession] }),
      getAccessToken: guard(getAccessToken, asksProvider),
      refreshToken: guard(refreshToken, asksProvider),
      accountInfo: guard(accountInfo, asksProvider),
      ...emailChange(dependencies),
      ...emailVerification(dependencies),
      ...providerSignIn(dependencies),
    },
    hooks: {
      before: [
        ...providerHooks,
        { matcher: takesNoRequest, handler: refuseRequest },
        {
          matcher: ({ path }) => path === '/sign-up/email',
          // Before it is looked up whether the address is taken, which the answer must not tell.
          handler: createAuthMiddleware((ctx) => {
            const given = (ctx.body ?? {}) as { name?: unknown; email?: unknown; password?: unknown }
            assertProfile(given)
            assertPassword(given.password, ownerOf(ctx, typeof given.email === 'string' ? given.email : undefined))
            return Promise.resolve()
          }),
        },
        {
          matcher: ({ path }) => path === '/change-password' || path === '/reset-password',
          // Before anything is looked up; whose it is to be is known only then.
          handler: createAuthMiddleware(({ body }) => {
            assertPassword(((body ?? {}) as { newPassword?: unknown }).newPassword)
            return Promise.resolve()
          }),
        },
        {
          matcher: ({ path }) => path === '/request-password-reset' || path === '/send-verification-email',
          // Said to everybody alike: it tells nothing of the address.
          handler: createAuthMiddleware(() => {
            assertMail(mailer)
            return Promise.resolve()
          }),
        },
      ],
      after: [
        { matcher: () => true, handler: noteCaller },
        { matcher: ({ path }) => path === '/change-password', handler: tellOfPassword(send, messages) },
        { matcher: ({ path }) => mayEndUnconfirmed(path), handler: rememberUnconfirmed },
        { matcher: ({ path }) => path === '/get-session', handler: slide(db, sessionCookies) },
        { matcher: ({ path }) => listsSessions(path), handler: hideTokens },
        { matcher: ({ path }) => isSignIn(path), handler: endFormerSession },
        { matcher: ({ path }) => isSignIn(path), handler: rememberSignIn(passwordBudget) },
        { matcher: ({ path }) => isSignIn(path), handler: tellSignIn(log, db) },
      ],
    },
  } satisfies BetterAuthPlugin
}

// These ask Google or GitHub, who may take their time: no transaction waits for them.
const asksProvider = { rules: [notImpersonating], inTransaction: false }

// A password is changed when it may be known to somebody else: their sessions must not survive it.
const endsOtherSessions: Rule = ({ body }) => {
  body['revokeOtherSessions'] = true
}

// Better-Auth checks the password only where one is sent, for a fresh session.
const asksForPassword: Rule = async ({ db, actor, body }) => {
  if (!body['password'] && (await findPasswordHash(db, actor.id)) !== undefined)
    throw refused('INVALID_PASSWORD', 'Invalid password', 'BAD_REQUEST')
}

// Better-Auth takes the fields that it knows and drops the others.
const changesProfile: Rule = ({ sent }) => {
  const other = Object.keys(sent).find((field) => field !== 'name' && field !== 'image')
  if (other !== undefined) throw refused('FIELD_NOT_ALLOWED', 'Only "name" and "image" can be set here', 'BAD_REQUEST')
}

/** Tells people that their password was changed, once it is. */
function tellOfPassword(send: SendAfterCommit, messages: Messages) {
  return createAuthMiddleware(async ({ context: { returned, session } }) => {
    if (session && !(returned instanceof APIError)) await send(messages.passwordChanged(session.user))
  })
}

/** Prolongs a session that is used, as `/api/v1` does for a cookie. */
function slide(db: Db, sessionCookies: SessionCookies) {
  return createAuthMiddleware(async (ctx) => {
    const current = ctx.context.session
    if (!current) return
    const { session, user } = current
    if (!sessionCookies.isOld(session.expiresAt)) return
    // Better-Auth does not hand out the absolute end of a session, which may forbid it.
    const row = await findAuthority(db, user.id, session.id)
    if (!row || !sessionCookies.isDue(row)) return
    const expiresAt = await slideSession(db, session.id, sessionCookies.slideTo())
    if (!expiresAt) return
    await setSessionCookie(ctx, { ...current, session: { ...session, expiresAt } }, false)
    const returned = ctx.context.returned as { session: object; user: object }
    return ctx.json({ ...returned, session: { ...returned.session, expiresAt } })
  })
}

/** Lets the log say who asked, or who signed in. */
const noteCaller = createAuthMiddleware(({ request, context }) => {
  const { session, newSession } = context
  const user = newSession?.user ?? session?.user
  if (user && request) tellCaller(request, user.id)
  return Promise.resolve()
})

// Where the pages hand the request of an application on, and where the provider itself then goes on with it.
const requestPaths = [
  '/sign-in/email',
  '/sign-in/social',
  '/sign-up/email',
  '/oauth2/consent',
  '/oauth2/public-client-prelogin',
  '/oauth2/authorize',
]

function takesNoRequest({ path, body }: HookEndpointContext): boolean {
  const given = (body ?? {}) as { oauth_query?: unknown }
  return given.oauth_query !== undefined && !requestPaths.includes(path ?? '')
}

// The provider takes whoever is given a session cookie, by whatever endpoint, for somebody who has just signed in.
const refuseRequest = createAuthMiddleware(() => {
  throw refused('UNEXPECTED_REQUEST', 'The request of an application is not answered here', 'BAD_REQUEST')
})
