import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'

/** The query parameters every list takes. */
export const pageQuery = {
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, 'is not a whole number from 1 to 100')
    .default('25')
    .transform(Number)
    .openapi({ type: 'integer', minimum: 1, maximum: 100, default: 25, description: 'Items per page', example: 25 }),
  cursor: z.string().max(4_096).optional().openapi({ description: '`page.nextCursor` of the page before' }),
  include: z.literal('total').optional().openapi({ description: '`total`: say how many match in all, too' }),
}

const Total = z
  .object({
    value: z.int().openapi({ example: 42 }),
    relation: z.enum(['eq', 'estimate']).openapi({
      description:
        '`eq`: counted, as it is up to 10,000. `estimate`: by the statistics of the database, where counting would take long',
      example: 'eq',
    }),
  })
  .openapi('Total', { description: 'How many match in all; only with `include=total`' })

/** The 200 response of a list: a page of `item`. */
export function pageResponse<T extends z.ZodType>(description: string, item: T) {
  return {
    description,
    content: { 'application/json': { schema: pageOf(item) } },
    headers: z.object({
      link: z.string().optional().openapi({ description: 'The next page, `rel="next"` (RFC 8288)' }),
    }),
  }
}

function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    page: z.object({
      limit: z.int(),
      nextCursor: z.string().nullable().openapi({
        description:
          'Continues the list; null at its end only. A page that was looked for far may hold fewer than `limit`, even none, before that',
      }),
    }),
    total: Total.optional(),
  })
}

/**
 * A page of `rows`, of which one more than `limit` was asked for: whether it came tells whether the list goes on, which
 * the `Link` header says too (RFC 8288).
 * @param cursorAfter the cursor of the page that follows a row
 * @param brokenOff the cursor of the page that follows what was looked through, where that was not all
 */
export function cutPage<Row>(
  c: Context,
  rows: Row[],
  limit: number,
  cursorAfter: (last: Row) => string,
  { brokenOff }: { brokenOff?: string | undefined } = {},
) {
  const data = rows.slice(0, limit)
  const last = data.at(-1)
  const nextCursor = last !== undefined && rows.length > limit ? cursorAfter(last) : (brokenOff ?? null)
  if (nextCursor !== null) {
    const query = new URLSearchParams({ ...c.req.query(), cursor: nextCursor })
    c.header('link', `<${c.req.path}?${query.toString()}>; rel="next"`)
  }
  return { data, page: { limit, nextCursor } }
}
