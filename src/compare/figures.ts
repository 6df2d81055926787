/** Figures, decimal and hexadecimal. */
const FIGURES = /\b(0x)?[\da-f]*\d[\da-f]*\b/g;

/** A line without its figures. */
export const withoutFigures = (text: string): string => text.replaceAll(FIGURES, '#');
