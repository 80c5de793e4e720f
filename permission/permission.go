// Package permission is the question "may this user do that?" and its answer. The rule languages
// that decide are packages below it.
//
// An answer is final at once: a Checker never blocks and never allocates on the way to Allow. What
// is not clearly allowed is denied.
//
// Cost: one call through an interface per decision. Stability: internal, may change.
package permission

import "deepstream-fast/protocol"

// Answer is the outcome of a decision. The zero value denies.
type Answer uint8

const (
	// Deny means that a rule said no, or none applied. The peer gets MESSAGE_DENIED.
	Deny Answer = iota
	// Allow lets the message through.
	Allow
	// Failed means that the rule could not be evaluated. The peer gets MESSAGE_PERMISSION_ERROR.
	Failed
)

// User is who asks. It is immutable once logged in and shared between a user's messages.
type User struct {
	ID         string
	ClientData []byte // JSON text told to the client, and to RPC providers where configured; nil: none
	ServerData []byte // JSON text that never leaves the server; nil: none
}

// Question is one decision to make. Its bytes are views that die with the message.
type Question struct {
	User   *User
	Topic  protocol.Topic
	Action protocol.Action
	Name   []byte // nil where the action has none
	Data   []byte // nil where the message has none
}

// Checker decides. Implementations are safe for concurrent use by all loops.
type Checker interface {
	Check(q *Question) Answer
}

// None allows everything: permission type "none".
type None struct{}

// Check implements Checker.
func (None) Check(*Question) Answer { return Allow }
