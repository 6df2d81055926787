const GUID = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;

/** Whether a text is a GUID in lower case: "44c4f61d-4444-4400-9d52-802e27ede19f". */
export const isGuid = (text: string): boolean => GUID.test(text);

/** The 16 bytes of a GUID: its first three parts are little-endian numbers. */
export function guidBytes(guid: string): number[] {
  const parts = GUID.exec(guid)!.slice(1).map(digits => digits.match(/../g)!.map(byte => parseInt(byte, 16)));
  return parts.flatMap((bytes, i) => (i < 3 ? bytes.reverse() : bytes));
}
