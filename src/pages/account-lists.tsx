import type { Account, Grant, Session } from './account-data.ts'
import type { PageDependencies } from './dependencies.ts'
import { deviceOf } from './device.ts'
import { Form, type FormState, Notice } from './fields.tsx'
import { permissionsIn } from './scope-words.ts'
import { Section } from './section.tsx'

interface SessionsProps {
  sessions: Session[]
  /** How many there are, with those that are not shown. */
  count: number
  isImpersonated: boolean
  state: FormState | undefined
}

/** Where the owner is signed in. */
export function Sessions({ sessions, count, isImpersonated, state = {} }: SessionsProps) {
  return (
    <Section id="sessions" title="Where you are signed in">
      {state.problem && <Notice kind="bad">{state.problem}</Notice>}
      <ul class="rows">
        {sessions.map((session) => (
          <SessionRow session={session} canEnd={!isImpersonated && !session.current} />
        ))}
      </ul>
      {count > sessions.length && <p>Not shown, as they are older: {count - sessions.length}</p>}
      {!isImpersonated && sessions.length > 1 && (
        <Form action="/account/sessions">
          <button type="submit" class="quiet">
            End all other sessions
          </button>
        </Form>
      )}
    </Section>
  )
}

function SessionRow({ session, canEnd }: { session: Session; canEnd: boolean }) {
  const { id, userAgent, ipAddress, createdAt, expiresAt, current, impersonatedBy } = session
  const device = deviceOf(userAgent)
  return (
    <li>
      <div>
        <strong>{device}</strong> {current && <span class="tag">this one</span>}
        {impersonatedBy !== null && <span class="tag">an administrator, as you</span>}
        <p class="hint">
          from {ipAddress ?? 'an unknown address'} · signed in <Time at={createdAt} /> · ends <Time at={expiresAt} />
        </p>
      </div>
      {canEnd && (
        <Form action="/account/sessions" hidden={{ id }}>
          <button
            type="submit"
            class="quiet small"
            aria-label={`End the session of ${device}, signed in ${timeOf(createdAt)}`}
          >
            End
          </button>
        </Form>
      )}
    </li>
  )
}

function Time({ at }: { at: string }) {
  return <time datetime={at}>{timeOf(at)}</time>
}

function timeOf(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`
}

interface SignInMethodsProps {
  accounts: Account[]
  providers: PageDependencies['providers']
  hasPassword: boolean
  isImpersonated: boolean
  state: FormState | undefined
}

/** With which other services the owner signs in. */
export function SignInMethods({ accounts, providers, hasPassword, isImpersonated, state = {} }: SignInMethodsProps) {
  const linked = accounts.filter(({ providerId }) => providerId !== 'credential')
  if (linked.length === 0 && (providers.length === 0 || isImpersonated) && !state.problem) return null
  const nameOf = (id: string) => providers.find((provider) => provider.id === id)?.name ?? id
  const others = providers.filter(({ id }) => !linked.some(({ providerId }) => providerId === id))
  const isConfigured = (id: string) => providers.some((provider) => provider.id === id)
  const hasAnotherThan = (id: string) =>
    hasPassword || linked.some((account) => account.id !== id && isConfigured(account.providerId))
  return (
    <Section id="methods" title="Ways to sign in">
      {state.problem && <Notice kind="bad">{state.problem}</Notice>}
      {linked.length > 0 && (
        <ul class="rows">
          {linked.map(({ id, providerId, accountId, createdAt }) => (
            <li>
              <div>
                <strong>{nameOf(providerId)}</strong>
                <p class="hint">
                  account {accountId} · since <Time at={createdAt} />
                </p>
              </div>
              {!isImpersonated && hasAnotherThan(id) && (
                <Form action="/account/unlink" hidden={{ id }}>
                  <button
                    type="submit"
                    class="quiet small"
                    aria-label={`Remove ${nameOf(providerId)}, account ${accountId}`}
                  >
                    Remove
                  </button>
                </Form>
              )}
            </li>
          ))}
        </ul>
      )}
      {!isImpersonated &&
        others.map(({ id, name }) => (
          <Form action="/account/link" hidden={{ provider: id }}>
            <button type="submit" class="quiet">
              Sign in with {name} too
            </button>
          </Form>
        ))}
    </Section>
  )
}

interface ApplicationsProps {
  grants: Grant[]
  isImpersonated: boolean
  state: FormState | undefined
}

/** Which applications act for the owner, and what they may do. */
export function Applications({ grants, isImpersonated, state = {} }: ApplicationsProps) {
  if (grants.length === 0 && !state.problem) return null
  return (
    <Section id="applications" title="Connected applications">
      {state.problem && <Notice kind="bad">{state.problem}</Notice>}
      <ul class="rows">
        {grants.map(({ clientId, name, uri, scopes, createdAt }) => (
          <li>
            <div>
              <strong>{uri ? <a href={uri}>{name}</a> : name}</strong>
              <p class="hint">
                since <Time at={createdAt} />, and may
              </p>
              <ul class="permissions hint">
                {permissionsIn(scopes).map((text) => (
                  <li>{text}</li>
                ))}
              </ul>
            </div>
            {!isImpersonated && (
              <Form action="/account/disconnect" hidden={{ clientId }}>
                <button type="submit" class="quiet small" aria-label={`Disconnect ${name}`}>
                  Disconnect
                </button>
              </Form>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}
