// Better-Auth's names of fields to our columns. Only names of more than one word differ; what a plugin adds is mapped
// in that plugin. There is one mapping for every instance in the process: Better-Auth merges it into shared constants.

export const userFields = { emailVerified: 'email_verified', createdAt: 'created_at', updatedAt: 'updated_at' }

export const sessionFields = {
  userId: 'user_id',
  expiresAt: 'expires_at',
  ipAddress: 'ip_address',
  userAgent: 'user_agent',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

export const accountFields = {
  userId: 'user_id',
  accountId: 'account_id',
  providerId: 'provider_id',
  accessToken: 'access_token',
  refreshToken: 'refresh_token',
  idToken: 'id_token',
  accessTokenExpiresAt: 'access_token_expires_at',
  refreshTokenExpiresAt: 'refresh_token_expires_at',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

export const verificationFields = { expiresAt: 'expires_at', createdAt: 'created_at', updatedAt: 'updated_at' }

export const rateLimitFields = { lastRequest: 'last_request' }

export const jwtSchema = {
  jwks: {
    fields: { publicKey: 'public_key', privateKey: 'private_key', createdAt: 'created_at', expiresAt: 'expires_at' },
  },
}

export const adminSchema = {
  user: { fields: { banReason: 'ban_reason', banExpires: 'ban_expires' } },
  session: { fields: { impersonatedBy: 'impersonated_by' } },
}
