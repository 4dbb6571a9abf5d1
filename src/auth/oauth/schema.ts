import { oauthProvider } from '@better-auth/oauth-provider'

type Schema = NonNullable<Parameters<typeof oauthProvider>[0]['schema']>

// By the rule it would be `require_p_k_c_e`.
const irregular: Record<string, string> = { requirePKCE: 'require_pkce' }

/** The names of the provider's seven models and their ninety fields in our tables, by the one rule for all of them. */
export function oauthSchema(): Schema {
  const { schema } = oauthProvider({ loginPage: '/sign-in', consentPage: '/consent' })
  const models = Object.entries(schema).map(([model, { fields }]) => {
    const columns = Object.keys(fields).map((field) => [field, irregular[field] ?? snake(field)])
    return [model, { modelName: snake(model), fields: Object.fromEntries(columns) as Record<string, string> }]
  })
  return Object.fromEntries(models) as Schema
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
