import { randomUUID } from 'node:crypto'
import type { TestService } from './harness.ts'
import { answerAt, type OpenIdProvider } from './standins/openid-provider.ts'
import type { Person } from './standins/providers.ts'
import { createVisitor, type Visitor } from './visitor.ts'

/** How people sign in to a service with an OpenID provider that it offers. */
export function createVisits(provider: OpenIdProvider, service: TestService) {
  /** Somebody who can sign in at the provider. */
  function newPerson(known: Partial<Person> = {}): Person & { email: string } {
    const person = { id: randomUUID(), email: `${randomUUID()}@example.com`, isVerified: true, name: 'Ada', ...known }
    provider.add(person)
    return person
  }

  /** Goes to the provider and answers there; returns where that leads back to. */
  async function visitProvider(visitor: Visitor, { id }: Person, allows = true): Promise<URL> {
    const { at } = await visitor.submit('/sign-in/social', { provider: 'oidc' })
    return answerAt(at, id, allows)
  }

  const comeBack = (visitor: Visitor, { pathname, search }: URL) => visitor.open(`${pathname}${search}`)

  async function signIn(person: Person, at = service) {
    const visitor = createVisitor(at)
    return { visitor, sight: await comeBack(visitor, await visitProvider(visitor, person)) }
  }

  return { newPerson, visitProvider, comeBack, signIn }
}
