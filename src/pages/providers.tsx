import type { PageDependencies } from './dependencies.ts'
import { Form } from './fields.tsx'

/** What a form carries on: where to go on, or the request of an application. */
type Kept = Record<'next' | 'oauth_query', string | undefined>

/** A button for each provider that is configured. */
export function Providers({ providers, kept }: Pick<PageDependencies, 'providers'> & { kept: Kept }) {
  if (providers.length === 0) return null
  return (
    <div class="providers">
      <p class="or">or</p>
      {providers.map(({ id, name }) => (
        <Form action="/sign-in/social" hidden={{ provider: id, ...kept }}>
          <button type="submit" class="quiet">
            Continue with {name}
          </button>
        </Form>
      ))}
    </div>
  )
}
