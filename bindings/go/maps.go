package simdetr

import (
	"context"

	"github.com/libsimdetr/libsimdetr/bindings/go/internal/capi"
)

// EncodeOptions say how an image is resized before it is encoded, and with how many threads; zero
// fields are the library's defaults.
type EncodeOptions = capi.EncodeOptions

// FeatureMap is one map of an encoder, deepest first; its slice belongs to the caller.
type FeatureMap = capi.FeatureMap

// FeatureMaps are an encoder's maps of one image, from which an Extractor can go on.
type FeatureMaps struct{ handle *handle[*capi.FeatureMaps] }

// Close ends the maps; copies live on.
func (m *FeatureMaps) Close() { m.handle.close() }

// Maps copies every map.
func (m *FeatureMaps) Maps() ([]FeatureMap, error) {
	var found []FeatureMap
	err := m.handle.use(func(raw *capi.FeatureMaps) error {
		var failure *capi.Error
		found, failure = capi.CopyFeatureMaps(raw)
		return convert(failure)
	})
	return found, err
}

// Encode computes the feature maps of an image.
func (e *Encoder) Encode(ctx context.Context, image Image, options EncodeOptions) (*FeatureMaps, error) {
	if err := image.check(); err != nil {
		return nil, err
	}
	raw, failure := capi.NewFeatureMaps()
	if failure != nil {
		return nil, convert(failure)
	}
	maps := &FeatureMaps{newHandle(raw, capi.DestroyFeatureMaps)}
	err := e.handle.use(func(encoder *capi.Encoder) error {
		return withToken(ctx, func(token *capi.Token) *capi.Error {
			return capi.EncodeImage(encoder, image.Pixels, image.Width, image.Height, image.Stride, int32(image.Format), options, token, raw)
		})
	})
	if err != nil {
		maps.Close()
		return nil, err
	}
	return maps, nil
}

// ExtractMaps finds the proposals of the image that the maps belong to; id keys its random numbers.
func (e *Extractor) ExtractMaps(maps *FeatureMaps, id uint32) (Proposals, error) {
	var found Proposals
	err := maps.handle.use(func(maps *capi.FeatureMaps) error {
		var err error
		found, err = e.extract(context.Background(), func(raw *capi.Extractor, _ *capi.Token, out *capi.Proposals) *capi.Error {
			return capi.ExtractFeatureMaps(raw, maps, id, out)
		})
		return err
	})
	return found, err
}
