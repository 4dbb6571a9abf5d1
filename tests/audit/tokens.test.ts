import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { type AuditRow, eventsOf } from '../support/audit.ts'
import { type Code, createBareClient, type Reply, tokensIn } from '../support/bare-client.ts'
import { type SignedIn, startServiceForFile } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, request } = service
const client = createBareClient(service, await registerClient(service))
const admin = await service.createSignedIn('admin')

const actionsOf = (rows: AuditRow[]) => rows.map(({ action }) => action)
const grantTypeOf = (row: AuditRow | undefined) => row?.changes['grantType']?.to

describe('tokens of a client have their events', () => {
  test('from the consent to the end of the grant', async () => {
    const user = await service.createSignedIn()
    const consent = await eventsOf(db, () => client.codeFor(createVisitor(service, user.cookie)))
    expect(consent).toMatchObject([
      { action: 'consent.given', actor_type: 'user', actor_id: user.id, target_id: user.id, ip_address: '127.0.0.1' },
    ])
    expect(consent[0]?.changes['clientId']).toEqual({ from: null, to: client.id })

    const code = await client.codeFor(createVisitor(service, user.cookie))
    let first = { refresh_token: '', access_token: '' }
    const redeemed = await eventsOf(db, async () => {
      first = tokensIn(await client.redeem(code))
    })
    expect(actionsOf(redeemed)).toEqual(['grant.created', 'token.issued'])
    for (const row of redeemed)
      expect(row).toMatchObject({ actor_type: 'client', actor_id: client.id, target_type: 'user', target_id: user.id })
    expect(redeemed[1]?.request_id).toMatch(/^[\da-f-]{36}$/)
    expect(grantTypeOf(redeemed[1])).toBe('authorization_code')
    expect(redeemed[1]?.changes['scope']?.to).toContain('account:read')

    const refreshed = await eventsOf(db, () => client.refresh(first.refresh_token))
    expect(actionsOf(refreshed)).toEqual(['token.issued'])
    expect(grantTypeOf(refreshed[0])).toBe('refresh_token')

    const reused = await eventsOf(db, () => client.refresh(first.refresh_token))
    expect(reused).toMatchObject([
      { action: 'token.reused', actor_id: client.id, target_id: user.id, reason: 'invalid_grant' },
    ])

    const path = `/api/v1/users/me/grants/${client.id}`
    const ended = await eventsOf(db, () => request(path, { method: 'DELETE', token: user.token }))
    expect(new Set(actionsOf(ended))).toEqual(new Set(['grant.ended', 'consent.withdrawn']))
    for (const row of ended) expect(row).toMatchObject({ actor_id: user.id, target_id: user.id })
  })

  test('a grant that is widened, and one that is as it was', async () => {
    const user = await service.createSignedIn()
    await client.tokensFor(user, { scope: 'openid' })
    const again = await eventsOf(db, () => client.tokensFor(user, { scope: 'openid' }))
    expect(actionsOf(again)).toEqual(['token.issued'])
    const wider = await eventsOf(db, () => client.tokensFor(user, { scope: 'openid account:read' }))
    expect(actionsOf(wider)).toEqual(['consent.given', 'grant.updated', 'token.issued'])
    expect(wider[1]).toMatchObject({
      actor_type: 'client',
      actor_id: client.id,
      target_id: user.id,
      changes: {
        scopes: { from: ['openid'], to: ['account:read', 'openid'] },
        clientId: { from: client.id, to: client.id },
      },
    })
  })

  test('a code that comes twice, and one that nobody was given', async () => {
    const user = await service.createSignedIn()
    const code = await client.codeFor(createVisitor(service, user.cookie))
    await client.redeem(code)
    const again = await eventsOf(db, () => client.redeem(code))
    expect(again).toMatchObject([{ action: 'token.reused', target_id: user.id, reason: 'invalid_grant' }])

    const made = await eventsOf(db, () => client.redeem({ ...code, code: 'made-up' }))
    expect(made).toMatchObject([
      { action: 'token.refused', actor_id: client.id, target_type: 'client', target_id: client.id },
    ])
  })

  test('what is refused for another reason than the grant', async () => {
    const user = await service.createSignedIn()
    const { refresh_token } = await client.tokensFor(user)
    const wider = await eventsOf(db, () => client.refresh(refresh_token, { scope: 'openid account:write' }))
    expect(wider).toMatchObject([{ action: 'token.refused', target_id: user.id, reason: 'invalid_scope' }])
  })

  test('a code that has run out, which nobody has used', async () => {
    const user = await service.createSignedIn()
    const code = await client.codeFor(createVisitor(service, user.cookie))
    await sql`update verification set expires_at = now() - interval '1 second'`.execute(db)
    const late = await eventsOf(db, () => client.redeem(code))
    expect(late).toMatchObject([{ action: 'token.refused', target_id: user.id, reason: 'invalid_grant' }])
  })

  test.each([
    ['oauth_grant', 'user_banned', 400, 'invalid_grant'],
    ['oauth_refresh_token', 'oauth_grant_ended', 400, 'invalid_grant'],
    ['oauth_grant', 'something_else', 500, 'server_error'],
  ])('what the database itself refuses at %s, by %s', async (table, constraint, status, error) => {
    const user = await service.createSignedIn()
    const code = await client.codeFor(createVisitor(service, user.cookie))
    const rule = sql.raw(`create function refuse_all() returns trigger language plpgsql as $$ begin
      raise exception 'no' using errcode = '23514', constraint = '${constraint}'; end $$;
      create trigger refuse_all before insert on ${table} for each row execute function refuse_all()`)
    await rule.execute(db)
    const replies: Reply[] = []
    const rows = await eventsOf(db, async () => replies.push(await client.redeem(code)))
    await sql`drop function refuse_all cascade`.execute(db)
    expect(replies).toMatchObject([{ status, body: { error } }])
    const refused = { action: 'token.refused', actor_id: client.id, target_id: user.id, reason: 'invalid_grant' }
    expect(rows).toMatchObject(status === 400 ? [refused] : [])
  })

  test('a token that is given back', async () => {
    const user = await service.createSignedIn()
    const { access_token: opaque } = await client.tokensFor(user, { scope: 'openid' })
    const { access_token, refresh_token } = await client.tokensFor(user)
    expect(opaque).not.toContain('.')
    for (const token of [opaque, access_token, refresh_token]) {
      const rows = await eventsOf(db, () => client.revoke(token))
      expect(rows).toMatchObject([{ action: 'token.revoked', actor_id: client.id, target_id: user.id }])
    }
    for (const token of ['unknown', opaque, access_token])
      expect(await eventsOf(db, () => client.revoke(token))).toEqual([])

    const again = await eventsOf(db, () => client.revoke(refresh_token))
    expect(again).toMatchObject([{ action: 'token.reused', actor_id: client.id, target_id: user.id }])
    expect(await eventsOf(db, () => client.revoke(refresh_token))).toEqual([])
  })

  test('but not of another client', async () => {
    const other = createBareClient(service, await registerClient(service))
    const user = await service.createSignedIn()
    const { access_token: opaque } = await client.tokensFor(user, { scope: 'openid' })
    const { access_token, refresh_token } = await client.tokensFor(user)
    for (const token of [opaque, access_token, refresh_token])
      expect(await eventsOf(db, () => other.revoke(token))).toEqual([])
    for (const token of [opaque, access_token, refresh_token])
      expect((await client.introspect(token)).body['active']).toBe(true)
  })

  test('a machine’s own, and what it does with them', async () => {
    const own = await registerClient(service, { clientCredentialsScopes: ['users:read', 'users:write'] })
    const machine = createBareClient(service, own)
    let token = ''
    const issued = await eventsOf(db, async () => {
      token = String((await machine.send('token', { grant_type: 'client_credentials' })).body['access_token'])
    })
    expect(issued).toMatchObject([
      { action: 'token.issued', actor_type: 'client', actor_id: own.id, target_type: 'client', target_id: own.id },
    ])
    const user = await service.createUser()
    const rows = await eventsOf(db, () =>
      request(`/api/v1/users/${user.id}`, { method: 'PATCH', token, json: { name: 'Renamed' } }),
    )
    expect(rows).toMatchObject([{ action: 'user.updated', actor_type: 'client', actor_id: own.id, client_id: null }])
  })

  test('what a client does for a user is done by the user, through it', async () => {
    const user = await service.createSignedIn()
    const { access_token: token } = await client.tokensFor(user, { scope: 'openid account:write' })
    const rows = await eventsOf(db, () =>
      request('/api/v1/users/me', { method: 'PATCH', token, json: { name: 'Renamed' } }),
    )
    expect(rows).toMatchObject([
      { action: 'user.updated', actor_type: 'user', actor_id: user.id, client_id: client.id, target_id: user.id },
    ])
  })

  test.each([
    [1, 400, ['token.refused']],
    [3, 503, []],
  ])('a refusal that met %i conflicts: once if at all', async (conflicts, status, actions) => {
    await sql
      .raw(`create sequence refusals;
      create function conflict_first() returns trigger language plpgsql as $$ begin
        if nextval('refusals') <= ${conflicts} then raise exception 'again' using errcode = '40001'; end if;
        return new;
      end $$;
      create trigger conflict_first before insert on audit_pending for each row execute function conflict_first()`)
      .execute(db)
    const statuses: number[] = []
    const rows = await eventsOf(db, async () => {
      statuses.push((await client.redeem({ code: 'made-up', verifier: 'x'.repeat(43) })).status)
    })
    await sql.raw('drop function conflict_first cascade; drop sequence refusals').execute(db)
    expect([statuses, actionsOf(rows)]).toEqual([[status], actions])
  })

  test('but not a client that does not prove itself', async () => {
    const headers = { authorization: `Basic ${Buffer.from(`${client.id}:wrong`).toString('base64')}` }
    const wrong = () => client.send('token', { grant_type: 'client_credentials' }, { headers })
    expect(await eventsOf(db, wrong)).toEqual([])
    expect((await wrong()).status).toBe(401)
  })

  test('a client that goes takes its grants along', async () => {
    const user = await service.createSignedIn()
    const other = createBareClient(service, await registerClient(service))
    await other.tokensFor(user)
    const rows = await eventsOf(db, () =>
      request(`/api/v1/clients/${other.id}`, { method: 'DELETE', token: admin.token }),
    )
    expect(actionsOf(rows).sort()).toEqual(['client.deleted', 'grant.ended'])
    for (const row of rows) expect(row.actor_id).toBe(admin.id)
  })
})

describe('a client without a secret', async () => {
  const app = createBareClient(service, await registerClient(service, { tokenEndpointAuthMethod: 'none' }))
  const codeOf = (user: SignedIn) => app.codeFor(createVisitor(service, user.cookie))
  const redeem = (code: Code) => eventsOf(db, () => app.redeem(code, {}, { auth: 'none' }))
  const nobody = { actor_type: 'client', actor_id: null }

  test('has proven nothing by what it is refused', async () => {
    const made = await redeem({ code: 'made-up', verifier: 'x'.repeat(43) })
    expect(made).toMatchObject([{ ...nobody, action: 'token.refused', target_type: 'client', target_id: app.id }])
    const refreshed = await eventsOf(db, () => app.refresh('made-up', {}, { auth: 'none' }))
    expect(refreshed).toMatchObject([{ ...nobody, action: 'token.refused', target_id: app.id }])

    const user = await service.createSignedIn()
    const code = await codeOf(user)
    const unverified = await redeem({ ...code, verifier: 'x'.repeat(43) })
    expect(unverified).toMatchObject([{ ...nobody, action: 'token.refused', target_id: user.id }])
    expect(unverified[0]?.changes['clientId']).toEqual({ from: null, to: app.id })
  })

  test('is known by a good code and a good token, and not by those that come again', async () => {
    const user = await service.createSignedIn()
    const own = { actor_type: 'client', actor_id: app.id, target_id: user.id }
    const code = await codeOf(user)
    let token = ''
    const issued = await eventsOf(db, async () => {
      token = tokensIn(await app.redeem(code, {}, { auth: 'none' })).refresh_token
    })
    expect(issued).toMatchObject([
      { ...own, action: 'grant.created' },
      { ...own, action: 'token.issued' },
    ])
    const revoked = await eventsOf(db, () => app.revoke(token, { auth: 'none' }))
    expect(revoked).toMatchObject([{ ...own, action: 'token.revoked' }])
    const again = await eventsOf(db, () => app.revoke(token, { auth: 'none' }))
    expect(again).toMatchObject([{ ...nobody, action: 'token.reused', target_id: user.id }])
    expect(await eventsOf(db, () => app.revoke('made-up', { auth: 'none' }))).toEqual([])
    expect(await redeem(code)).toMatchObject([{ ...nobody, action: 'token.reused', target_id: user.id }])
  })
})
