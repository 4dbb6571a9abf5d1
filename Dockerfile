# Everything that is built is built here; nothing of it but dist goes on.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tests/clients/package.json tests/clients/
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json auth.config.ts ./
COPY src src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY tests/clients/package.json tests/clients/
# Optional dependencies here are the test tools that others name as peers.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --workspaces=false --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY migrations migrations
# An ordinary user, who owns none of the files.
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# As `npm start`: of young objects Node 24 would keep up to 128 MB.
CMD ["node", "--max-semi-space-size=16", "dist/src/main.js"]
