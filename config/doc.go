// Package config turns a configuration file into a Config, and a mistake in it into a message an
// operator can act on: file, line, column, the line itself with a caret, what was expected and,
// where the spelling is close to something, what was probably meant. All problems of a file are
// reported at once, ordered by line.
//
// The struct tags of Config are the schema, and the only copy of it: key, default, bounds and
// meaning of an option stand in one row. Default, Load, Validate and the table of
// docs/configuration.md all read them. The tags are
//
//	key          name in the file, camelCase as in the official server
//	default      value when absent; default-T where it differs for type T; a list of types
//	range        inclusive bounds, "low.." or "low..high"; an open end means the type's maximum
//	oneof        the texts allowed
//	off          "true" if false or null switches a duration off (stored as Off)
//	when         types of the surrounding section this key belongs to; absent: all of them
//	required     "true" if the key has no default
//	unavailable  values this build cannot honour, "*" for any: an error, never silently ignored
//	ignored      accepted and dropped with a warning; the tag's text says why
//	single       "true" if a lone section may stand for a list of one
//	doc          meaning, for the reference table
//
// A file passes through five steps, each in its own file: source (read, substitute ${NAME}),
// parse (TOML, YAML or JSON to one tree that knows its positions), macro (fileLoad and file),
// decode (tree to Config) and validate (bounds, availability, options that contradict each other).
//
// # Invariants
//   - Load returns a Config or problems, never both; a Config it returned passes Validate.
//   - No key is silently dropped: it is stored, reported, or named in Warnings.
//   - A problem points into the file as written, whatever substitution did to the text.
//
// Limits: configBytesMax, loadedBytesMax, nodesMax, depthMax and problemsMax. Cost: start-up only.
// Stability: the file format is stable, the Go API internal, may change.
package config
