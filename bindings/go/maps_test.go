package simdetr

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

func TestMapsComeOutAndGoOn(t *testing.T) {
	encoder, err := NewEncoderFunc("colours", []MapDescription{{6, 32}, {6, 16}}, colours)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	maps, err := encoder.Encode(context.Background(), picture(), EncodeOptions{ImageShortSide: 160, ImageLongSideMax: 320, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	found, err := maps.Maps()
	if err != nil || len(found) != 2 {
		t.Fatal(len(found), err)
	}
	if m := found[1]; m.Stride != 16 || m.Channels != 6 || m.Height != 10 || len(m.Values) != m.Height*m.Width*6 || m.Name == "" {
		t.Error(m.Name, m.Stride, m.Height, m.Width, m.Channels, len(m.Values))
	}
	extractor := newExtractor(t, colours)
	whole, err := extractor.ExtractImage(context.Background(), picture(), 1)
	if err != nil {
		t.Fatal(err)
	}
	half, err := extractor.ExtractMaps(maps, 1)
	if err != nil || !reflect.DeepEqual(whole, half) {
		t.Error("the proposals differ", err)
	}
	maps.Close()
	if _, err := maps.Maps(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := encoder.Encode(context.Background(), Image{}, EncodeOptions{}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	if _, err := encoder.Encode(context.Background(), picture(), EncodeOptions{ImageShortSide: 4}); !errors.Is(err, ErrInvalidArgument) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := encoder.Encode(ended, picture(), EncodeOptions{}); !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
}
