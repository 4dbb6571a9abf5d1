import { expect, test } from 'vitest'
import { invalid, ProblemError, type ProblemSlug, problems, problemTypes } from '../../src/http/problem.ts'

const slugs = Object.keys(problemTypes) as ProblemSlug[]
const of = (status: number) => slugs.filter((slug) => problemTypes[slug].status === status)

test.each<[ProblemSlug[], Record<string, string>]>([
  [['unauthenticated'], { 'www-authenticate': 'Bearer' }],
  [of(401).filter((slug) => slug !== 'unauthenticated'), { 'www-authenticate': 'Bearer error="invalid_token"' }],
  [of(415), { accept: 'application/json' }],
  [of(503), { 'retry-after': '1' }],
  [slugs.filter((slug) => ![401, 415, 503].includes(problemTypes[slug].status)), {}],
])('%j say what to do by their headers', (some, headers) => {
  expect(some.length).toBeGreaterThan(0)
  for (const slug of some) expect([slug, new ProblemError(slug).headers]).toEqual([slug, headers])
})

test('problems of one status are told together', () => {
  const [one, other] = of(401)
  const described = problems(one ?? 'not-found', other ?? 'not-found', 'not-found')
  expect(Object.entries(described).map(([status, { description }]) => [status, description])).toEqual([
    ['401', `\`${one}\`, \`${other}\``],
    ['404', '`not-found`'],
  ])
})

test('the first fault is told with its place, if it has one', () => {
  expect(invalid({ parameter: 'limit', detail: 'is missing' }, { pointer: '/a', detail: 'x' }).message).toBe(
    'limit: is missing',
  )
  expect(invalid({ pointer: '/name', detail: 'is missing' }).message).toBe('/name: is missing')
  expect(invalid({ pointer: '', detail: 'is no object' }).message).toBe('is no object')
  const many = Array.from({ length: 30 }, () => ({ pointer: '/a', detail: 'x' }))
  expect(invalid(...many).errors).toHaveLength(20)
})
