import type { MiddlewareHandler } from 'hono'
import type { Setup } from '../admin/setup.ts'
import type { Brand } from '../auth/auth-config.ts'
import type { Guards } from '../auth/authorize.ts'
import type { BanNotices } from '../auth/ban-notice.ts'
import type { Provider } from '../auth/providers/providers.ts'
import type { Db } from '../db/database.ts'
import type { Call } from './calls.ts'

/** What the pages work with. */
export interface PageDependencies {
  brand: Brand
  baseUrl: string
  db: Db
  guards: Guards
  call: Call
  setup: Setup
  /** Lets only forms of ours through. */
  ownForm: MiddlewareHandler
  cookieName: string
  banNotices: BanNotices
  providers: readonly Provider[]
  signUpOpen: boolean
  canSendMail: boolean
  /** Whether nobody signs in before their address is confirmed. */
  confirmsAddresses: boolean
}
