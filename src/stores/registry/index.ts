// Registries: the OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec) and what
// registries in use really do.
export { openRegistry, type RegistryOptions } from './open.ts';
export { login, logout, type LoginOptions, type LogoutOptions } from './login.ts';
export { ConnectionPool } from './connection-pool.ts';
export type { Access } from './authorizer.ts';
export type { Clock } from './clock.ts';
export type { RequestEvent } from './transport.ts';
