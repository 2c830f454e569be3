// PORT: how mirrors are reached. Adapters in src/mirrors; families only ask for URLs and get bytes that they verify.

export interface FetchRequest {
  /** http, https or file URL as the repository states it; the mirror map is applied by the adapter. */
  readonly url: string;
  /** Bytes at most; LIMIT_EXCEEDED beyond. */
  readonly limit: number;
  /** What is fetched, for messages and progress: "Packages of bookworm-security main amd64". */
  readonly what: string;
  /** When known: lets the adapter answer from its cache and store there. The caller verifies all the same. */
  readonly sha256?: string;
  readonly size?: number;
  /** true: 404 and 403 answer undefined instead of throwing. */
  readonly optional?: boolean;
  /** Credentials found in the image's or the user's configuration; sent to this origin only. */
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Additional trust for this repository. PEM. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly verify?: boolean;
  };
  /** Proxy URL from the repository's configuration; 'direct' forbids proxies; absent: the environment's. */
  readonly proxy?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * false: the URL comes from the image. A file: URL then means a path inside the image; without a mirror rule that maps
   * it, nothing is read from this machine. Nor is a metadata service of a cloud asked. Default true (a URL of the user).
   */
  readonly hostFiles?: boolean;
}

export interface Fetch {
  /**
   * Gets a whole file. Throws NETWORK, SERVER, TIMEOUT, AUTH_REQUIRED, AUTH_DENIED, LIMIT_EXCEEDED. With `optional`,
   * undefined where there is no such file.
   */
  get(request: FetchRequest & { readonly optional?: false }): Promise<Uint8Array>;
  get(request: FetchRequest): Promise<Uint8Array | undefined>;
}
