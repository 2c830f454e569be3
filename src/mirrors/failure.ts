// Failures of connections in words: codes of Node, OpenSSL and undici → what happened and whether a retry may help.
import type { ErrorCode } from '../errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  readonly why?: string;
  readonly retry: boolean;
  readonly hint?: string;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  ECONNREFUSED: { code: 'NETWORK', why: 'connection refused', retry: true },
  ECONNRESET: { code: 'NETWORK', why: 'the connection was reset', retry: true },
  EPIPE: { code: 'NETWORK', why: 'the connection was closed', retry: true },
  UND_ERR_SOCKET: { code: 'NETWORK', why: 'the connection was closed', retry: true },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { code: 'NETWORK', why: 'the answer was cut short', retry: true },
  EAI_AGAIN: { code: 'NETWORK', why: 'the host name cannot be resolved now', retry: true },
  ENOTFOUND: { code: 'NETWORK', why: 'the host is not known', retry: false },
  EHOSTUNREACH: { code: 'NETWORK', why: 'the host cannot be reached', retry: true },
  ENETUNREACH: { code: 'NETWORK', why: 'the network cannot be reached', retry: true },
  ETIMEDOUT: { code: 'TIMEOUT', why: 'no connection in time', retry: true },
  UND_ERR_CONNECT_TIMEOUT: { code: 'TIMEOUT', why: 'no connection in time', retry: true },
  UND_ERR_HEADERS_TIMEOUT: { code: 'TIMEOUT', why: 'no answer in time', retry: true },
  UND_ERR_BODY_TIMEOUT: { code: 'TIMEOUT', why: 'the answer stalled', retry: true },
  PROXY_CLOSED: { code: 'NETWORK', why: 'the proxy closed the connection', retry: true },
  UND_ERR_ABORTED: { code: 'NETWORK', why: 'the proxy refused the connection', retry: false },
};

const TLS =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|UND_ERR_PRX_TLS)/;

export function describeFailure(error: unknown): Failure {
  const { code, message } = rootOf(error);
  if (TLS.test(code))
    return {
      code: 'NETWORK',
      why: `its TLS certificate is not trusted (${message})`,
      retry: false,
      hint: 'name the file of the certificate authority with --ca FILE',
    };
  if (/\(407\)/.test(message))
    return { code: 'AUTH_REQUIRED', why: 'the proxy asks for a user name and password', retry: false };
  return FAILURES[code] ?? { code: 'NETWORK', retry: false };
}

/** undici wraps what the socket said, and Node gathers the failures of several addresses. */
function rootOf(error: unknown): { code: string; message: string } {
  let at = error as { code?: unknown; message?: unknown; cause?: unknown; errors?: readonly unknown[] };
  for (let depth = 0; depth < 5; depth++) {
    const next = at.errors?.[0] ?? (typeof at.code === 'string' ? undefined : at.cause);
    if (next === undefined || next === null) break;
    at = next as typeof at;
  }
  return { code: String(at.code ?? ''), message: String(at.message ?? '') };
}
