// The answer to one exchange. Its body must be read, streamed or discarded: it holds a connection.
import type { Dispatcher } from 'undici';
import { collect, type ByteStream } from '../../base/streams.ts';
import { asFailure } from './failure.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** A body of this size is read to its end to keep the connection; beyond, the connection is dropped. */
const DISCARD_LIMIT = 64 << 10;

export class Answer {
  readonly status: number;
  readonly url: URL;
  readonly #headers: Headers;
  readonly #body: Dispatcher.ResponseData['body'];

  constructor(status: number, headers: Headers, body: Dispatcher.ResponseData['body'], url: URL) {
    this.status = status;
    this.url = url;
    this.#headers = headers;
    this.#body = body;
    // a body that is destroyed before its end emits an error, which would end the process without a listener
    body.on('error', () => {});
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The first value of a header; `name` in lower case. */
  header(name: string): string | undefined {
    return this.headerValues(name)[0];
  }

  headerValues(name: string): readonly string[] {
    const value = this.#headers[name];
    return value === undefined ? [] : typeof value === 'string' ? [value] : value;
  }

  /** Throws ExchangeFailure when the body is cut or stalls. */
  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#body) yield chunk as Uint8Array;
    } catch (error) {
      throw asFailure(error);
    }
  }

  async bytes(options: { limit: number; what: string }): Promise<Uint8Array> {
    const stream: ByteStream = this.stream();
    return collect(stream, options);
  }

  async discard(): Promise<void> {
    await this.#body.dump({ limit: DISCARD_LIMIT }).catch(() => {});
  }

  /** Drops the connection. */
  destroy(): void {
    this.#body.destroy();
  }
}
