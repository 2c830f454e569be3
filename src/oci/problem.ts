// What can be wrong with an image. 'error': some program refuses it or makes something else of it. 'warning': it works
// everywhere that was tried, but is not as it should be, or could not be checked.

export type ProblemKind =
  | 'document-digest'
  | 'document-invalid'
  | 'document-unsupported'
  | 'media-type-missing'
  | 'child-missing'
  | 'child-mismatch'
  | 'platform-duplicate'
  | 'platform-mismatch'
  | 'attestation-orphan'
  | 'family-mixed'
  | 'zstd-in-docker'
  | 'annotations-in-docker'
  | 'layer-type-unknown'
  | 'layers-too-many'
  | 'blob-missing'
  | 'blob-digest'
  | 'blob-size'
  | 'layer-foreign'
  | 'layer-encrypted'
  | 'config-invalid'
  | 'platform-missing'
  | 'created-invalid'
  | 'layer-count'
  | 'history-long'
  | 'history-short'
  | 'diff-id'
  | 'compression-mismatch'
  | 'layer-damaged'
  | 'gzip-padding'
  | 'tar-invalid'
  | 'path-duplicate'
  | 'hardlink-outside'
  | 'path-through-symlink'
  | 'path-outside'
  | 'whiteout-invalid';

export interface Problem {
  readonly kind: ProblemKind;
  readonly severity: 'error' | 'warning';
  /** Names the place: digest, layer number, path. */
  readonly message: string;
}

const SEVERITY: Readonly<Record<ProblemKind, Problem['severity']>> = {
  // documents
  'document-digest': 'error',
  'document-invalid': 'error',
  'document-unsupported': 'error',
  // ECR wants it
  'media-type-missing': 'warning',
  'child-missing': 'error',
  'child-mismatch': 'error',
  'platform-duplicate': 'warning',
  'platform-mismatch': 'error',
  'attestation-orphan': 'warning',
  // skopeo refuses OCI layers in Docker's manifest, umoci Docker's in OCI's
  'family-mixed': 'error',
  'zstd-in-docker': 'warning',
  'annotations-in-docker': 'warning',
  'layer-type-unknown': 'error',
  'layers-too-many': 'warning',
  // blobs
  'blob-missing': 'error',
  'blob-digest': 'error',
  'blob-size': 'error',
  'layer-foreign': 'warning',
  'layer-encrypted': 'warning',
  // config
  'config-invalid': 'error',
  // umoci refuses
  'platform-missing': 'error',
  'created-invalid': 'error',
  'layer-count': 'error',
  // Docker refuses more entries than layers, everybody takes fewer
  'history-long': 'error',
  'history-short': 'warning',
  // layers
  'diff-id': 'error',
  'compression-mismatch': 'warning',
  'layer-damaged': 'error',
  // crane and umoci refuse zeros after the compressed data
  'gzip-padding': 'error',
  'tar-invalid': 'error',
  // crane and Docker refuse
  'path-duplicate': 'error',
  // Docker fails with ENOENT
  'hardlink-outside': 'error',
  // Docker replaces the symlink by a directory
  'path-through-symlink': 'error',
  'path-outside': 'error',
  'whiteout-invalid': 'error',
};

/** All kinds, in the order of the checks. */
export const PROBLEM_KINDS: readonly ProblemKind[] = Object.keys(SEVERITY) as ProblemKind[];

export function problem(kind: ProblemKind, message: string): Problem {
  return { kind, severity: SEVERITY[kind], message };
}
