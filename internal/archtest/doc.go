// Package archtest holds the import table of the project and the tests that keep it: which package
// may import which, what topics may not touch, that every package explains itself, and that whatever
// documents and comments name is there. Changing the table takes an ADR. Stability: internal, may change.
package archtest
