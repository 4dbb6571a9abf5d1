/** What the document of Better-Auth's endpoints says of one of ours that answers whether it was done. */
export function documented(operationId: string, summary: string, description: string) {
  const schema = { type: 'object' as const, properties: { status: { type: 'boolean' } }, required: ['status'] }
  return {
    openapi: {
      operationId,
      summary,
      description,
      responses: { '200': { description, content: { 'application/json': { schema } } } },
    },
  }
}
