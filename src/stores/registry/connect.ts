// How connections are made: directly or through a proxy's tunnel, with the TLS material of the host, and only to
// addresses the caller may reach. The check sits where the name is resolved, so that DNS cannot lead around it.
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { buildConnector } from 'undici';
import { forbiddenLiteral, guardedLookup, type Reach } from '../../base/address.ts';
import { proxyAuthorization } from '../../base/proxy.ts';
import { asFailure, ExchangeFailure } from './failure.ts';

export interface TlsOptions {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
}

export interface ConnectOptions {
  readonly reach: Reach;
  readonly proxy: URL | undefined;
  /** Of the host that is connected to; undefined for plain http. */
  readonly tls: TlsOptions | undefined;
  /** Of an https proxy. */
  readonly proxyTls: TlsOptions | undefined;
  readonly timeoutMs: number;
  /** Called with the address of each direct connection. */
  readonly onAddress: (address: string) => unknown;
}

type Build = (options: buildConnector.BuildOptions) => buildConnector.connector;

/** A connector for undici. Failures are ExchangeFailures with `connecting` set. */
export function connector(build: Build, options: ConnectOptions): buildConnector.connector {
  const { tls, proxy, reach } = options;
  const base = build({
    timeout: options.timeoutMs,
    ...tls,
    // a proxy is the user's choice, and resolves names itself
    ...(reach !== 'any' && !proxy && { lookup: guardedLookup(reach, forbidden) }),
  });
  return (target, callback) => {
    const fail = (error: unknown): void => callback(connectFailure(error), null);
    const done: buildConnector.Callback = (...[error, socket]) => {
      if (error) return fail(error);
      if (!proxy && socket.remoteAddress !== undefined) options.onAddress(socket.remoteAddress);
      return callback(null, socket);
    };
    if (proxy && target.protocol === 'https:')
      openTunnel(proxy, target, options).then(
        (httpSocket) => base({ ...target, httpSocket }, done),
        (error: unknown) => fail(error),
      );
    else base(target, done);
  };
}

/** Throws when `url` names an address that must not be reached; names are checked when they are resolved. */
export function checkLiteral(url: URL, reach: Reach): void {
  const address = forbiddenLiteral(url, reach);
  if (address !== undefined) throw forbidden(address);
}

function forbidden(address: string): ExchangeFailure {
  return new ExchangeFailure('forbidden', `the address ${address} is not one this registry may send us to`, {
    connecting: true,
  });
}

function connectFailure(error: unknown): Error {
  const failure = asFailure(error, true);
  // undici reconnects for ever on errors with this code
  return failure instanceof ExchangeFailure ? failure : new ExchangeFailure('other', String(error));
}

async function openTunnel(
  proxy: URL,
  target: buildConnector.Options,
  options: ConnectOptions,
): Promise<Socket> {
  const { request } = proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const authority = `${target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname}:${target.port || 443}`;
  const authorization = proxyAuthorization(proxy);
  return new Promise((resolve, reject) => {
    const fail = (text: string, cause?: unknown): void =>
      reject(new ExchangeFailure('proxy', `the proxy ${proxy.host} ${text}`, { connecting: true, cause }));
    const tunnel: ClientRequest = request({
      host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      agent: false,
      timeout: options.timeoutMs,
      headers: {
        host: authority,
        ...(authorization !== undefined && { 'proxy-authorization': authorization }),
      },
      ...options.proxyTls,
    });
    tunnel.once('connect', (answer: IncomingMessage, socket: Socket) => {
      if (answer.statusCode === 200) return resolve(socket);
      socket.destroy();
      return fail(`refused the connection with status ${answer.statusCode}`);
    });
    tunnel.once('response', (answer: IncomingMessage) => {
      answer.destroy();
      fail(`refused the connection with status ${answer.statusCode}`);
    });
    tunnel.once('timeout', () => tunnel.destroy(new Error('did not answer in time')));
    tunnel.once('error', (error) => fail(`cannot be used: ${asFailure(error, true).message}`, error));
    tunnel.end();
  });
}
