import { Hono } from 'hono'
import type { Env } from '../http/exchange.ts'
import { ProblemError } from '../http/problem.ts'
import type { Arrival, ArrivalProofs } from './arrival.ts'

interface Dependencies {
  arrivalProofs: ArrivalProofs
  arrivalOf: (incoming: Env['Bindings']['incoming']) => Arrival
}

/** Tells who has the secret how a request arrived; to anybody else there is nothing. */
export function arrivalRoutes({ arrivalProofs, arrivalOf }: Dependencies) {
  return new Hono<Env>().get('/health/arrival', (c) => {
    const [scheme, proof = ''] = c.req.header('authorization')?.split(' ') ?? []
    if (scheme !== 'Bearer' || !arrivalProofs.isGood(proof)) throw new ProblemError('not-found')
    return c.json(arrivalOf(c.env.incoming))
  })
}
