import { defineAuth } from './src/auth/auth-config.ts'

/** What an operator decides about identity. Secrets and addresses are in the environment: see .env.example. */
export const authConfig = defineAuth({
  /** What the pages show. The colours must be readable: on white, and on the dark of the pages. */
  brand: { name: 'Latchkey', color: { light: '#2b53c4', dark: '#8fb0ff' } },

  /**
   * The permissions of each role. Everybody may read and change their own account; `user` is the role of who signs up,
   * `admin` has every permission. Add roles freely; one that users still have cannot be removed.
   */
  roles: {
    user: [],
    moderator: ['users:read', 'users:ban', 'sessions:read', 'sessions:revoke'],
    admin: 'all',
  },

  /** A session ends when it was not used for so many days (2 to 30), and 30 days after sign-in at the latest. */
  session: { idleDays: 7 },

  /** A signing key signs for so many days; the next one is published so many hours before it takes over. */
  signingKey: { rotationDays: 90, publishHoursAhead: 24 },

  /**
   * Applications of your own, by their `client_id`: they ask nobody for consent. Others are registered at /api/v1/clients.
   *
   *   shop: { name: 'Shop', redirectUris: ['https://shop.example.com/callback'], scopes: ['openid', 'email'] },
   */
  clients: {},
})
