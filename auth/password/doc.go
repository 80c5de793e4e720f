// Package password checks passwords against what is kept of them, and makes that. It knows three
// forms. Argon2id in PHC form, "$argon2id$v=19$m=19456,t=2,p=1$salt$key", is recognised wherever it
// stands and is what New makes. The official server's form, base64(key) ++ salt of PBKDF2-HMAC, has
// its digest, iterations and length in the configuration: a Scheme. A Scheme without a digest means
// clear text, as it does in the official server.
//
//	scheme := password.Scheme{Digest: "sha512", Iterations: 210_000, KeyLength: 32}
//	hash, err := scheme.Parse(stored)
//	ok := hash.Matches(given)
//
// # Invariants
//   - Comparisons take the same time wherever two keys differ.
//   - A Decoy costs what its model costs and matches nothing: with it an unknown user takes as long
//     as a known one.
//   - Everything happens on the calling goroutine, so that it has the priority of its thread.
//   - What is stored can't ask for more than argonCostMax: users may be records that somebody else wrote.
//
// Cost: that of the hash, on purpose; measured by BenchmarkMatches. Stability: internal, may change;
// the two forms are stable. Source: spec/auth.md §4.3, RFC 9106, the PHC string format.
package password
