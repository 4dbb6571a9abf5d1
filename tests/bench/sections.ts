import type { Bench } from './bench.ts'
import type { Section } from './report.ts'
import { distinct } from './sections/distinct.ts'
import { lists } from './sections/lists.ts'
import { me } from './sections/me.ts'
import { resident } from './sections/resident.ts'
import { revocation } from './sections/revocation.ts'
import { signIns } from './sections/sign-in.ts'
import { start } from './sections/start.ts'
import { storm } from './sections/storm.ts'
import { token } from './sections/token.ts'
import { verify } from './sections/verify.ts'
import { workers } from './sections/workers.ts'

/** Every section by its name, in the order of a full run. */
export const sections: Record<string, (bench: Bench) => Promise<Section>> = {
  me,
  verify,
  distinct,
  token,
  'sign-in': signIns,
  lists,
  revocation,
  storm,
  start,
  memory: resident,
  workers,
}
