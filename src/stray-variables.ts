// Better-Auth reads these by itself, past every check of ours.
const readPastUs = new Set(['AUTH_SECRET', 'BETTER_AUTH_TRUSTED_ORIGINS', 'BASE_URL'])

// Nobody else's variables begin like this, but for those of Better-Auth's telemetry, which is off here anyway.
const ourOwn = /^(BETTER_AUTH_(?!TELEMETRY)|JWT_SHARED_|TRUSTED_ORIGIN|TRUSTED_PROX)/

// What Kubernetes and Docker make of a service that is called better-auth, say: BETTER_AUTH_PORT=tcp://10.0.0.1:80.
const ofAnotherService = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$|_ENV_\w+$/
const placeOfAnotherService = /^((tcp|udp|sctp):\/\/|\/\w)/

// One letter from PORT or HOST there are too many words.
const leastLetters = 6

/**
 * What is set, and is no setting, and was probably meant for us: what Better-Auth would read, a name that begins like ours
 * alone, or one that is a letter, or any underscores, away from a setting that is missing.
 * @param env what is set, of ours and of others
 * @param settings the names that the service reads
 * @returns a fault for each name, with the setting that comes nearest, and no value
 */
export function strayVariables(env: Record<string, string | undefined>, settings: readonly string[]): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (!value || settings.includes(name) || !/^\w+$/.test(name) || isOfAnotherService(name, value)) return []
    const meant = settings.find((setting) => isNear(name, setting))
    const isOurs = readPastUs.has(name) || ourOwn.test(name) || (meant !== undefined && !env[meant])
    return isOurs ? [`${name}: is not a setting of this service; ${meant ? `is ${meant} meant?` : 'unset it'}`] : []
  })
}

function isOfAnotherService(name: string, value: string): boolean {
  return ofAnotherService.test(name) || (/_(PORT|NAME)$/.test(name) && placeOfAnotherService.test(value))
}

function isNear(name: string, setting: string): boolean {
  const [given, wanted] = [letters(name), letters(setting)]
  return wanted.length >= leastLetters && isOneEditAway(given, wanted)
}

function letters(name: string): string {
  return name.replaceAll('_', '').toUpperCase()
}

/** Whether two texts are the same but for one letter more, less, or other, or two in another order. */
function isOneEditAway(one: string, other: string): boolean {
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  const [rest, otherRest] = [one.slice(at), other.slice(at)]
  return (
    rest.slice(1) === otherRest.slice(1) ||
    rest === otherRest.slice(1) ||
    rest.slice(1) === otherRest ||
    (rest[0] === otherRest[1] && rest[1] === otherRest[0] && rest.slice(2) === otherRest.slice(2))
  )
}
