/** "0x22"; "-0x1" below zero. */
export const hexText = (value: number | bigint): string => (value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);
