package password

import (
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"hash"
	"os"
	"strings"
	"testing"
)

// vector is a hash made by the algorithm of the official command line.
type vector struct {
	Hash       string `json:"hash"`
	Iterations int    `json:"iterations"`
	KeyLength  int    `json:"keyLength"`
	Password   string `json:"password"`
	Stored     string `json:"stored"`
}

func (v *vector) scheme() Scheme {
	return Scheme{Digest: v.Hash, Iterations: v.Iterations, KeyLength: v.KeyLength}
}

// official returns the vectors of spec/auth.md §4.3 and three per digest, made with Node's crypto
// library, which is what the official server uses.
func official(t *testing.T) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/official.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return append(all,
		vector{"md5", 100, 32, "password", "rCOSZxJrgze2AZdVQh12c6ErDMOG0M+Rx5Yu7S5d91c=GS4SbTQYmoaGwjm2shEobg=="},
		vector{"md5", 100, 32, "userAPass", "CKgFpPLJX1+FezZR8bMsP+8wQR+WG0z7AZYRy9nz5KY=DzI79/e3yJ0Y0UvNENMXaQ=="},
		vector{"sha256", 10, 20, "secret", "gShhRC4OAd/qSWYTWEevbVBfRNQ=c2FsdHNhbHQ="})
}

func TestOfficialHashes(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range official(t) {
		s := v.scheme()
		if err := s.Validate(); err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		h, err := s.Parse(v.Stored)
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		if !h.Slow() || !h.Matches(v.Password) || h.Matches(v.Password+" ") || h.Matches("") {
			t.Errorf("%s of %q: does not match its password alone", v.Hash, v.Password)
		}
		if h.Decoy().Matches(v.Password) {
			t.Errorf("%s: a decoy matches", v.Hash)
		}
		seen[v.Hash] = true
	}
	for _, name := range Digests() {
		if !seen[name] {
			t.Errorf("digest %s has no vector", name)
		}
	}
}

// The first three are those of the reference implementation of Argon2.
func TestArgon2id(t *testing.T) {
	for _, tt := range []struct{ password, stored string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"", NewArgon("")},
		{"pässwörd", NewArgon("pässwörd")},
	} {
		for _, s := range []Scheme{{}, {"md5", 100, 32}} { // whatever the configuration says
			h, err := s.Parse(tt.stored)
			if err != nil || !h.Slow() || !h.Matches(tt.password) || h.Matches(tt.password+"x") || h.Decoy().Matches(tt.password) {
				t.Errorf("%s: %v", tt.stored, err)
			}
		}
	}
	if a, b := NewArgon("x"), NewArgon("x"); a == b || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("two new hashes: %s and %s", a, b)
	}
}

func TestClearText(t *testing.T) {
	h, err := Scheme{}.Parse("open sesame")
	if err != nil || h.Slow() || !h.Matches("open sesame") || h.Matches("open") || h.Matches("") {
		t.Errorf("%v", err)
	}
	if d := (Scheme{}).Decoy(); d.Matches("") || d.Slow() {
		t.Error("a decoy for clear text matches or is slow")
	}
}

func TestNewIsParsed(t *testing.T) {
	for _, s := range []Scheme{{}, {"sha512", 1000, 32}, {"sha3-256", 3, 1}, {"md5", 1, 20}} {
		stored, err := s.New("secret")
		if err != nil {
			t.Fatal(err)
		}
		again, _ := s.New("secret")
		h, err := s.Parse(stored)
		if err != nil || !h.Matches("secret") || h.Matches("Secret") || stored == again {
			t.Errorf("%+v: %q, %v", s, stored, err)
		}
		if d := s.Decoy(); d.Matches("secret") || d.Slow() != (s.Digest != "") {
			t.Errorf("%+v: the decoy is of another kind or matches", s)
		}
	}
}

func TestBrokenHashesMatchNothing(t *testing.T) {
	scheme := Scheme{"sha256", 10, 20}
	for _, tt := range []struct {
		stored, why string
		want        error
	}{
		{"", "0 characters, at least 28", ErrForm},
		{"gShhRC4OAd/qSWYTWEevbVBfRNQ", "27 characters", ErrForm},
		{"gShhRC4OAd/qSWYTWEevbVBfRN!=salt", "not base64", ErrForm},
		{"$argon2id$", "expected $argon2id$v=19", ErrArgon},
		{"$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "version", ErrArgon},
		{"$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "parameters", ErrArgon},
		{"$argon2id$v=19$t=2,m=256,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "integers", ErrArgon},
		{"$argon2id$v=19$m=0256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "integers", ErrArgon},
		{"$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "m must", ErrArgon},
		{"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "m must", ErrArgon},
		{"$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "m times t", ErrArgon},
		{"$argon2id$v=19$m=262144,t=5,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "m times t", ErrArgon},
		{"$argon2id$v=19$m=256,t=4294967295,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "m times t", ErrArgon},
		{"$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg", "p must", ErrArgon},
		{"$argon2id$v=19$m=256,t=2,p=1$c2FsdA$nf65EOgLrQMR/uIPnA4rEg", "salt", ErrArgon},
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ=$nf65EOgLrQMR/uIPnA4rEg", "salt", ErrArgon},
		{"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$", "key", ErrArgon},
	} {
		h, err := scheme.Parse(tt.stored)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%q: got %v, want %v about %q", tt.stored, err, tt.want, tt.why)
		}
		if h == nil || !h.Slow() || h.Matches("") || h.Matches("secret") {
			t.Errorf("%q: matches something, or answers faster than a good one", tt.stored)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		s   Scheme
		why string
	}{
		{Scheme{}, ""},
		{Scheme{Digest: "sha512", Iterations: 1, KeyLength: 1}, ""},
		{Scheme{Digest: "SHA512", Iterations: 1, KeyLength: 1}, `unknown digest "SHA512"`},
		{Scheme{Digest: "sm3", Iterations: 1, KeyLength: 1}, "unknown digest"},
		{Scheme{Digest: "md5", KeyLength: 1}, "needs iterations"},
		{Scheme{Digest: "md5", Iterations: 1, KeyLength: 1025}, "needs a keyLength"},
	} {
		err := tt.s.Validate()
		if (err == nil) != (tt.why == "") || err != nil && !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%+v: %v", tt.s, err)
		}
	}
}

// FuzzParse: nothing stored makes Parse panic, ask for more than the bounds, or match what it was not
// made of. What it accepts as Argon2id has one spelling only.
func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("gShhRC4OAd/qSWYTWEevbVBfRNQ=c2FsdHNhbHQ=")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := Scheme{"sha256", 1, 20}.Parse(stored)
		if h == nil {
			t.Fatal("no hash")
		}
		if err != nil {
			if !h.decoy {
				t.Fatalf("%q is refused, and might match", stored)
			}
			return
		}
		if a := h.argon; a != nil {
			if a.memoryKiB > argonMemoryKiBMax || uint64(a.memoryKiB)*uint64(a.time) > argonCostMax || a.lanes > argonLanesMax {
				t.Fatalf("%q asks for %+v", stored, a)
			}
			if again := a.format([]byte(h.salt), h.key); again != stored {
				t.Fatalf("%q is also written %q", stored, again)
			}
			return
		}
		if string(h.key)+h.salt != stored {
			t.Fatalf("%q was read as %q and %q", stored, h.key, h.salt)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	for _, bb := range []struct {
		name   string
		stored func() (string, error)
		scheme Scheme
	}{
		{"form=argon2id", func() (string, error) { return NewArgon("secret"), nil }, Scheme{}},
		{"form=sha512-210000", Scheme{"sha512", IterationsAdvised, 32}.new, Scheme{"sha512", IterationsAdvised, 32}},
		{"form=md5-100", Scheme{"md5", 100, 32}.new, Scheme{"md5", 100, 32}},
		{"form=clear", func() (string, error) { return "secret", nil }, Scheme{}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			stored, err := bb.stored()
			if err != nil {
				b.Fatal(err)
			}
			h, err := bb.scheme.Parse(stored)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if h.Matches("wrong") {
					b.Fatal("it matches")
				}
			}
		})
	}
}

func (s Scheme) new() (string, error) { return s.New("secret") }

// BenchmarkDerive compares what a login costs with what it would cost without yielding.
func BenchmarkDerive(b *testing.B) {
	for name, digest := range map[string]func() hash.Hash{"polite": politely(sha512.New), "plain": sha512.New} {
		b.Run("digest="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pbkdf2.Key(digest, "password", []byte("0123456789abcdef"), 10_000, 32); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
