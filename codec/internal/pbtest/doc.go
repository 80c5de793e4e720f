// Package pbtest holds the official schemas once more, for google.golang.org/protobuf, which is the
// oracle the tests of codec compare their results with. Every scalar is optional, so that presence
// can be seen, and text is bytes, because codec does not check UTF-8. Entries of the versions map are
// a repeated message for the same reason. The bytes on the wire are those of the official schemas.
//
// Stability: internal, used by tests only.
package pbtest

//go:generate protoc --go_out=. --go_opt=paths=source_relative pbtest.proto
