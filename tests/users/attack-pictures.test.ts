import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'
import { goodPicture, hostilePictures } from '../support/hostile-pictures.ts'

const service = await startServiceForFile()
const { db } = service
const { auth, v1, rowsOf } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const ada = await service.createSignedIn()
const grace = await service.createUser()

const newcomer = () => ({ email: `${randomUUID()}@example.com`, name: 'Ada', password })
const userWith = (email: string) => db.selectFrom('user').select('image').where('email', '=', email).execute()

describe.each<[door: string, of: string, change: (image: unknown) => Promise<{ status: number }>]>([
  ['PATCH /users/me', ada.id, (image) => v1(ada, 'PATCH', '/users/me', { image })],
  ['PATCH /users/{id}', grace.id, (image) => v1(admin, 'PATCH', `/users/${grace.id}`, { image })],
  ['/update-user', ada.id, (image) => auth(ada, '/update-user', { image })],
  ['/admin/update-user', grace.id, (image) => auth(admin, '/admin/update-user', { userId: grace.id, data: { image } })],
])('N-15 at %s', (_door, id, change) => {
  test.each(hostilePictures)('the picture %j is refused', async (image) => {
    const before = await rowsOf(id)
    expect([400, 422]).toContain((await change(image)).status)
    expect(await rowsOf(id)).toEqual(before)
  })

  test('one by https is taken, and taken away again', async () => {
    for (const image of [goodPicture, 'HTTPS://example.com/%00?a=<b>#c', null]) {
      expect((await change(image)).status).toBe(200)
      expect((await rowsOf(id)).user).toMatchObject([{ image }])
    }
  })
})

describe.each<
  [door: string, create: (user: ReturnType<typeof newcomer>, image: unknown) => Promise<{ status: number }>]
>([
  ['/sign-up/email', (user, image) => auth({ cookie: '' }, '/sign-up/email', { ...user, image })],
  [
    '/admin/create-user',
    (user, image) => auth(admin, '/admin/create-user', { ...user, role: 'user', data: { image } }),
  ],
])('N-15 at %s', (_door, create) => {
  test.each(hostilePictures)('nobody is made with the picture %j', async (image) => {
    const user = newcomer()
    expect((await create(user, image)).status).toBe(400)
    expect(await userWith(user.email)).toEqual([])
  })

  test('somebody is made with one by https', async () => {
    const user = newcomer()
    expect((await create(user, goodPicture)).status).toBe(200)
    expect(await userWith(user.email)).toEqual([{ image: goodPicture }])
  })
})

test('N-15 POST /users makes nobody with a picture, whichever', async () => {
  const user = newcomer()
  for (const image of [...hostilePictures, goodPicture]) {
    expect([image, (await v1(admin, 'POST', '/users', { ...user, image })).status]).toEqual([image, 422])
  }
  expect(await userWith(user.email)).toEqual([])
  expect((await v1(admin, 'POST', '/users', user)).status).toBe(201)
})
