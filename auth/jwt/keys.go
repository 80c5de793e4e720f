package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

const (
	keysMax    = 256 // of one set
	triedMax   = 8   // keys that a token without a key's name is checked with
	rsaBitsMin = 2048

	// SecretBytesMin is the least that RFC 7518 §3.2 allows.
	SecretBytesMin = 32
)

// What finding a key can fail with.
var (
	errNoKeys     = errors.New("jwt: no keys")
	errUnknownKey = errors.New("jwt: the token was made with an unknown key")
)

// keySet is keys that never change. A nil one has none.
type keySet struct{ keys []key }

// key is one public key or secret.
type key struct {
	id  string // empty: it has no name
	alg string // the only algorithm it is for; empty: any that fits
	key any    // crypto.PublicKey or []byte
}

// find is a jwt.Keyfunc: it returns what may have signed t, whose algorithm is one of the accepted.
func (s *keySet) find(t *jwt.Token) (any, error) {
	if s == nil {
		return nil, errNoKeys
	}
	alg := t.Method.Alg()
	id, named := t.Header["kid"].(string)
	var found jwt.VerificationKeySet
	for _, k := range s.keys {
		switch {
		case !k.fits(alg):
		case named && k.id == id:
			return k.key, nil
		case !named || k.id == "" && len(s.keys) == 1:
			found.Keys = append(found.Keys, k.key)
		}
	}
	if len(found.Keys) == 0 || len(found.Keys) > triedMax {
		return nil, errUnknownKey
	}
	return found, nil
}

// fits reports whether k may be used with alg: a key is for one family of algorithms only.
func (k *key) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch public := k.key.(type) {
	case []byte:
		return strings.HasPrefix(alg, "HS")
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return curves[alg] == public.Curve && public.Curve != nil
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

var curves = map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}

// usable returns why a public key can't be used.
func usable(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < rsaBitsMin {
			return fmt.Errorf("jwt: an RSA key of %d bits, at least %d", bits, rsaBitsMin)
		}
	case *ecdsa.PublicKey:
		if _, err := k.ECDH(); err != nil { // checks that it is a point of the curve
			return fmt.Errorf("jwt: not a point of the curve: %w", err)
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return errors.New("jwt: an Ed25519 key of the wrong size")
		}
	default:
		return fmt.Errorf("jwt: a key of type %T, expected RSA, ECDSA or Ed25519", public)
	}
	return nil
}

func secretKey(secret []byte) (*keySet, error) {
	if len(secret) < SecretBytesMin {
		return nil, fmt.Errorf("jwt: a secret of %d bytes, at least %d", len(secret), SecretBytesMin)
	}
	return &keySet{[]key{{key: secret}}}, nil
}

// CheckPublicKey returns why text is not a public key in PEM form that can be used.
func CheckPublicKey(text string) error {
	_, err := parsePublicKey(text)
	return err
}

// CheckKeySet returns why text is not a JWKS with a key that can be used.
func CheckKeySet(text []byte) error {
	_, err := parseKeySet(text)
	return err
}

// parsePublicKey reads PEM text: a public key or a certificate.
func parsePublicKey(text string) (*keySet, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("jwt: not PEM text")
	}
	public, err := publicKey(block)
	if err != nil {
		return nil, err
	}
	return &keySet{[]key{{key: public}}}, usable(public)
}

func publicKey(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("jwt: PEM text of type %q, expected PUBLIC KEY or CERTIFICATE", block.Type)
}

// parseKeySet reads a JWKS. Keys that are for something else, or can't be used, are left out; a set
// without any left is an error.
func parseKeySet(text []byte) (*keySet, error) {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("jwt: not a JWKS: %w", err)
	}
	if len(set.Keys) > keysMax {
		return nil, fmt.Errorf("jwt: a JWKS of %d keys, at most %d", len(set.Keys), keysMax)
	}
	var s keySet
	var reason error
	for i := range set.Keys {
		k, err := parseJWK(&set.Keys[i])
		if err != nil {
			reason = err
			continue
		}
		s.keys = append(s.keys, k)
	}
	if len(s.keys) == 0 {
		return nil, errors.Join(errors.New("jwt: a JWKS without a key to check signatures with"), reason)
	}
	return &s, nil
}

// parseJWK reads one key. Secrets are no public keys, and certificates that it points to are nobody's
// business here.
func parseJWK(m *jwkset.JWKMarshal) (k key, err error) {
	if m.KTY != jwkset.KtyRSA && m.KTY != jwkset.KtyEC && m.KTY != jwkset.KtyOKP || m.USE != "" && m.USE != jwkset.UseSig {
		return k, fmt.Errorf("jwt: a key of type %q for use %q", m.KTY, m.USE)
	}
	public := jwkset.JWKMarshal{KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E}
	parsed, err := jwkset.NewJWKFromMarshal(public, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return k, err
	}
	return key{id: m.KID, alg: string(m.ALG), key: parsed.Key()}, usable(parsed.Key())
}

// fixed are keys that came with the configuration.
type fixed struct{ *keySet }

func static(s *keySet, err error) (source, error) { return fixed{s}, err }

func (f fixed) current() (*keySet, bool) { return f.keySet, true }

// refresh has nothing to do: an unknown key stays one.
func (f fixed) refresh(then func()) { then() }
