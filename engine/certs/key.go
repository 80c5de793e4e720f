package certs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

// A key with a passphrase is PKCS #8 with PBES2 (RFC 8018) as openssl and Node write it today, or the
// older PEM encryption (RFC 1423). crypto/x509 reads only the latter.

const iterationsMax = 2_000_000 // of the key derivation: about a second

var (
	errPassphrase = errors.New("certs: the key can't be decrypted: wrong passphrase, or the file is damaged")
	errNoPhrase   = errors.New("certs: the key is encrypted: set passphrase")
)

// decrypted returns keyPEM with its key as plain text.
func decrypted(keyPEM []byte, passphrase string) ([]byte, error) {
	for rest := keyPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return keyPEM, nil // whatever it is, the caller says what is wrong with it
		}
		legacy := x509.IsEncryptedPEMBlock(block) //nolint:staticcheck // existing files have it; it guards a file, no stream
		modern := block.Type == "ENCRYPTED PRIVATE KEY"
		if !legacy && !modern {
			continue
		}
		if passphrase == "" {
			return nil, errNoPhrase
		}
		if legacy {
			der, err := x509.DecryptPEMBlock(block, []byte(passphrase)) //nolint:staticcheck // as above
			if err != nil {
				return nil, errPassphrase
			}
			return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der}), nil
		}
		der, err := decryptPKCS8(block.Bytes, passphrase)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
}

// The structures of RFC 5958 §3 and RFC 8018 appendix A.
type (
	encryptedKeyInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2Params struct {
		Derivation, Scheme pkix.AlgorithmIdentifier
	}
	pbkdf2Params struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	prfs = map[string]func() hash.Hash{
		"":                    sha1.New, // the default of RFC 8018 §5.2
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	schemes = map[string]int{ // AES-CBC by the size of its key
		"2.16.840.1.101.3.4.1.2":  16,
		"2.16.840.1.101.3.4.1.22": 24,
		"2.16.840.1.101.3.4.1.42": 32,
	}
)

func decryptPKCS8(der []byte, passphrase string) ([]byte, error) {
	var info encryptedKeyInfo
	var params pbes2Params
	var kdf pbkdf2Params
	var iv []byte
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, fmt.Errorf("certs: the key is encrypted with %v; only PBES2 is supported (openssl pkcs8 -topk8 -v2 aes256)", info.Algorithm.Algorithm)
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	size, known := schemes[params.Scheme.Algorithm.String()]
	if !known || !params.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, fmt.Errorf("certs: the key is encrypted with %v and %v; only PBKDF2 with AES-CBC is supported (openssl pkcs8 -topk8 -v2 aes256)",
			params.Derivation.Algorithm, params.Scheme.Algorithm)
	}
	if _, err := asn1.Unmarshal(params.Derivation.Parameters.FullBytes, &kdf); err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	if _, err := asn1.Unmarshal(params.Scheme.Parameters.FullBytes, &iv); err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	prf := prfs[kdf.PRF.Algorithm.String()]
	switch {
	case prf == nil:
		return nil, fmt.Errorf("certs: the key is derived with %v, which is not supported", kdf.PRF.Algorithm)
	case kdf.Iterations < 1 || kdf.Iterations > iterationsMax:
		return nil, fmt.Errorf("certs: the key is derived in %d iterations, 1 to %d are possible", kdf.Iterations, iterationsMax)
	case len(iv) != aes.BlockSize || len(info.Data) == 0 || len(info.Data)%aes.BlockSize != 0:
		return nil, errPassphrase
	}
	key, err := pbkdf2.Key(prf, passphrase, kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("certs: encrypted key: %w", err)
	}
	plain := make([]byte, len(info.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, info.Data)
	return unpadded(plain)
}

// unpadded removes the padding of RFC 8018 §6.1.1.
func unpadded(plain []byte) ([]byte, error) {
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, errPassphrase
	}
	return plain[:len(plain)-n], nil
}
