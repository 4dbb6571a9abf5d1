import { apiRoutes } from '../../src/app.ts'
import { buildDocument } from '../../src/reference/document.ts'
import type { Services } from '../../src/services.ts'
import { closed, createChecker, type Document } from './document.ts'

type Check = (path: string, method: string, response: Response) => Promise<void>

// The document differs between services by their address alone, and is compiled as it is needed.
let check: Check | undefined

/**
 * N-26: fails where an answer of an operation of `/api/v1` is not what the document says of it: its status, its media
 * type, and every member of its body. What no operation answers, as an address that there is not, is not looked at.
 * @throws Error with the fault, for the test that got the answer
 */
export async function assertDocumented(
  services: Services,
  path: string,
  method: string,
  response: Response,
): Promise<void> {
  if (!path.startsWith('/api/v1/') || method === 'HEAD') return
  check ??= createCheck(services)
  await check(path, method, response)
}

function createCheck(services: Services): Check {
  const { baseUrl } = services.config
  const document = buildDocument(apiRoutes(services), baseUrl, services.sessionCookies.name) as unknown as Document
  const { faultOf } = createChecker({ own: closed(document) })
  // A path without parameters is before one that would take it for a parameter.
  const templates = Object.keys(document.paths)
    .toSorted((a, b) => a.split('{').length - b.split('{').length)
    .map((template) => [template, new RegExp(`^/api/v1${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`)] as const)

  return async (path, method, response) => {
    const { pathname } = new URL(path, baseUrl)
    const template = templates.find(([, pattern]) => pattern.test(pathname))?.[0]
    const name = method.toLowerCase()
    if (template === undefined || !document.paths[template]?.[name]) return
    const fault = await faultOf(response.clone(), ['own', template, name])
    if (fault) throw new Error(`N-26 ${method} ${pathname}: ${fault}`)
  }
}
