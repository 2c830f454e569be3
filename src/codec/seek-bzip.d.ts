// The part of seek-bzip that is used; the package has no types.
declare module 'seek-bzip' {
  const Bunzip: {
    /** Decodes one stream from `input` to `output`; throws a TypeError with an `errorCode` when it is damaged. */
    decode(
      input: { readByte(): number; read(buffer: Uint8Array, offset: number, length: number): number },
      output: { writeByte(byte: number): void },
    ): void;
  };
  export default Bunzip;
}
