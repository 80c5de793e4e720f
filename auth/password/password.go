package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
)

// Bounds of a Scheme.
const (
	IterationsMax = 1<<31 - 1
	KeyLengthMax  = 1024 // bytes

	// IterationsAdvised is what a new configuration should have at least, with sha512.
	IterationsAdvised = 210_000
)

const saltBytes = 16 // of new hashes

// What Parse finds wrong. Test with errors.Is.
var (
	// ErrForm says that a text is not what its Scheme makes. Nothing matches it.
	ErrForm = errors.New("password: not a hash of the configured form")
	// ErrArgon says that a text starts as an Argon2id hash and does not go on as one.
	ErrArgon = errors.New("password: not a usable argon2id hash")
)

// Scheme is how passwords are kept that do not say it themselves. The zero value is clear text.
type Scheme struct {
	Digest     string // of PBKDF2-HMAC, one of Digests or an alias; empty: clear text
	Iterations int
	KeyLength  int // bytes
}

// Validate returns an error that says which part of s is missing or unknown.
func (s Scheme) Validate() error {
	switch {
	case s.Digest == "":
		return nil
	case !KnownDigest(s.Digest):
		return fmt.Errorf("password: unknown digest %q", s.Digest)
	case s.Iterations < 1 || s.Iterations > IterationsMax:
		return fmt.Errorf("password: hash %q needs iterations, 1 to %d", s.Digest, IterationsMax)
	case s.KeyLength < 1 || s.KeyLength > KeyLengthMax:
		return fmt.Errorf("password: hash %q needs a keyLength, 1 to %d", s.Digest, KeyLengthMax)
	}
	return nil
}

// Hash is what is kept of one password, or the password itself. Safe for concurrent use.
type Hash struct {
	digest     func() hash.Hash // of PBKDF2; nil: argon, else clear text
	iterations int
	argon      *argon

	salt   string
	key    []byte // what the derived key has to be, as base64 where the form has it so
	length int    // of the key before that
	clear  [sha256.Size]byte

	decoy bool
}

// Parse reads a stored text, which is what s makes or an Argon2id hash. s must be valid. The error is
// ErrForm or ErrArgon; the Hash then costs what others cost and matches nothing.
func (s Scheme) Parse(stored string) (*Hash, error) {
	if IsArgon(stored) {
		return parseArgon(stored)
	}
	if s.Digest == "" {
		return &Hash{clear: sha256.Sum256([]byte(stored))}, nil
	}
	h := &Hash{digest: digestOf(s.Digest), iterations: s.Iterations, length: s.KeyLength}
	n := base64.StdEncoding.EncodedLen(s.KeyLength)
	if len(stored) < n {
		return h.Decoy(), fmt.Errorf("%w: %d characters, at least %d", ErrForm, len(stored), n)
	}
	if _, err := base64.StdEncoding.DecodeString(stored[:n]); err != nil {
		return h.Decoy(), fmt.Errorf("%w: the first %d characters are not base64", ErrForm, n)
	}
	h.key, h.salt = []byte(stored[:n]), stored[n:]
	return h, nil
}

// Decoy returns a Hash that costs what one of s costs and matches nothing: for users that don't exist.
// With clear text that is as little as comparing takes.
func (s Scheme) Decoy() *Hash {
	if s.Digest == "" {
		return (&Hash{}).Decoy()
	}
	return (&Hash{digest: digestOf(s.Digest), iterations: s.Iterations, length: s.KeyLength}).Decoy()
}

// Decoy returns a Hash that costs what h costs and matches nothing.
func (h *Hash) Decoy() *Hash {
	d := *h
	d.decoy = true
	if d.salt == "" {
		d.salt = rand.Text()
	}
	return &d
}

// Slow reports whether Matches takes so long that it must not be called on a loop.
func (h *Hash) Slow() bool { return h.digest != nil || h.argon != nil }

// Matches reports whether h was made of given. It does the same work for a wrong password as for the
// right one.
func (h *Hash) Matches(given string) bool {
	var same int
	switch {
	case h.argon != nil:
		same = subtle.ConstantTimeCompare(h.argon.key(given, h.salt, h.length), h.key)
	case h.digest != nil:
		same = subtle.ConstantTimeCompare(derive(h.digest, given, h.salt, h.iterations, h.length), h.key)
	default:
		sum := sha256.Sum256([]byte(given))
		same = subtle.ConstantTimeCompare(sum[:], h.clear[:])
	}
	return same == 1 && !h.decoy
}

// derive returns base64(PBKDF2-HMAC). The salt goes in as the text that it is. Parameters that the
// library refuses make no key, and match nothing.
func derive(digest func() hash.Hash, given, salt string, iterations, length int) []byte {
	key, err := stretched(digest, given, salt, iterations, length)
	if err != nil {
		return nil
	}
	return base64.StdEncoding.AppendEncode(nil, key)
}

// stretched returns PBKDF2-HMAC, yielding meanwhile.
func stretched(digest func() hash.Hash, given, salt string, iterations, length int) ([]byte, error) {
	return pbkdf2.Key(politely(digest), given, []byte(salt), iterations, length)
}

// New returns what is to be stored of a new password: in the form of s, or with Argon2id if that would
// be clear text. s must be valid.
func (s Scheme) New(given string) (string, error) {
	if s.Digest == "" {
		return NewArgon(given), nil
	}
	salt := base64.StdEncoding.EncodeToString(randomBytes(saltBytes))
	key, err := stretched(digestOf(s.Digest), given, salt, s.Iterations, s.KeyLength)
	if err != nil {
		return "", fmt.Errorf("password: derive a key with %s: %w", s.Digest, err)
	}
	return base64.StdEncoding.EncodeToString(key) + salt, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
