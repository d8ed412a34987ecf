// The source of server/web/sugar-high.js, which is built from the npm package by `npx esbuild
// tests/browser/sugar_high.mjs --bundle --format=esm --target=es2022 --minify`, and placed below its
// licence.
export { tokenize } from "sugar-high/core";
export * as c from "sugar-high/lang/c";
export * as cpp from "sugar-high/lang/cpp";
export * as java from "sugar-high/lang/java";
export * as python from "sugar-high/lang/python";
export * as rust from "sugar-high/lang/rust";
export * as go from "sugar-high/lang/go";
export * as kotlin from "sugar-high/lang/kotlin";
export * as shell from "sugar-high/lang/shell";
export * as sql from "sugar-high/lang/sql";
