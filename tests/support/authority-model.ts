/** A user in the model, and which of their two sessions live. */
export interface State {
  exists: boolean
  banned: boolean
  role: string
  name: string
  /** In milliseconds; null until it is set by hand. */
  validAfter: number | null
  sessions: [boolean, boolean]
}

export type Kind = 'ban' | 'unban' | 'role' | 'rename' | 'valid_after' | 'end' | 'begin' | 'delete'

export interface Who {
  user: 0 | 1
  session: 0 | 1
}

/** What is true once a write is done that was numbered so. */
export function after(state: State, kind: Kind, { session }: Who, n: number): State {
  const but = (is: boolean): [boolean, boolean] => (session === 0 ? [is, state.sessions[1]] : [state.sessions[0], is])
  if (!state.exists) return state
  switch (kind) {
    case 'ban':
      return { ...state, banned: true, sessions: [false, false] }
    case 'unban':
      return { ...state, banned: false }
    case 'role':
      return { ...state, role: n % 2 === 0 ? 'user' : 'moderator' }
    case 'rename':
      return { ...state, name: `name ${n}` }
    case 'valid_after':
      return { ...state, validAfter: future(n).getTime() }
    case 'end':
      return { ...state, sessions: but(false) }
    case 'begin':
      return state.banned ? state : { ...state, sessions: but(true) }
    case 'delete':
      return { ...state, exists: false, sessions: [false, false] }
  }
}

/** Later than all that the database sets by itself. */
export const future = (n: number) => new Date(Date.UTC(2_100, 0, 1) + n * 1_000)

export type Credential = 'token' | 'cookie' | 'shared'

/** What a request with a credential is worth, according to the model. */
export function expected(
  credential: Credential,
  { exists, banned, role, name, validAfter, sessions }: State,
  session: 0 | 1,
) {
  if (!exists || (credential === 'cookie' && !sessions[session])) return 'ended'
  if (banned) return 'banned'
  if (credential === 'token' && !sessions[session]) return 'ended'
  return `${role} ${name} ${validAfter}`
}
