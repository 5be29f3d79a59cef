//! DLPack: tensors of the host, borrowed in; memory of ours, owned out.
//!
//! The layouts are those of dmlc/dlpack 1.x. The header only forward-declares the managed forms,
//! so that it compiles beside an old or a new dlpack.h; both forms are produced, because libtorch
//! takes the versioned one only from PyTorch 2.9 on (reference/c-abi.md §2.6).

use super::guard::guard;
use super::pointers::{OutputArray, borrow, output_array, slice};
use crate::{Error, Result};
use std::ffi::c_void;

pub(super) const DEVICE_CPU: i32 = 1;
pub(super) const DEVICE_CUDA_HOST: i32 = 3;
const CODE_SIGNED: u8 = 0;
const CODE_UNSIGNED: u8 = 1;
const CODE_FLOAT: u8 = 2;
const MAJOR_VERSION: u32 = 1;
const MINOR_VERSION: u32 = 0;
/// More dimensions than any tensor that we take.
const NDIM_MAX: usize = 8;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DLDevice {
    pub device_type: i32,
    pub device_id: i32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DLDataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DLTensor {
    pub data: *mut c_void,
    pub device: DLDevice,
    pub ndim: i32,
    pub dtype: DLDataType,
    pub shape: *mut i64,
    pub strides: *mut i64,
    pub byte_offset: u64,
}

/// cbindgen:no-export
#[repr(C)]
pub struct DLManagedTensor {
    pub dl_tensor: DLTensor,
    pub manager_ctx: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensor)>,
}

/// cbindgen:no-export
#[repr(C)]
pub struct DLManagedTensorVersioned {
    pub version: [u32; 2],
    pub manager_ctx: *mut c_void,
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    pub flags: u64,
    pub dl_tensor: DLTensor,
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<DLTensor>() == 48);
    assert!(std::mem::offset_of!(DLTensor, dtype) == 20);
    assert!(std::mem::offset_of!(DLTensor, byte_offset) == 40);
    assert!(size_of::<DLManagedTensor>() == 64);
    assert!(size_of::<DLManagedTensorVersioned>() == 80);
    assert!(std::mem::offset_of!(DLManagedTensorVersioned, dl_tensor) == 32);
};

/// The element types that cross the border.
pub(super) trait Element: Copy + Send + 'static {
    const TYPE: DLDataType;
}

impl Element for f32 {
    const TYPE: DLDataType = DLDataType { code: CODE_FLOAT, bits: 32, lanes: 1 };
}

impl Element for i32 {
    const TYPE: DLDataType = DLDataType { code: CODE_SIGNED, bits: 32, lanes: 1 };
}

impl Element for u8 {
    const TYPE: DLDataType = DLDataType { code: CODE_UNSIGNED, bits: 8, lanes: 1 };
}

fn type_name(dtype: DLDataType) -> String {
    let letter = match dtype.code {
        CODE_SIGNED => "i",
        CODE_UNSIGNED => "u",
        CODE_FLOAT => "f",
        other => return format!("code {other} of {} bits x{}", dtype.bits, dtype.lanes),
    };
    match dtype.lanes {
        1 => format!("{letter}{}", dtype.bits),
        lanes => format!("{letter}{} x{lanes}", dtype.bits),
    }
}

/// A borrowed tensor after its checks.
#[derive(Clone, Copy)]
pub(super) struct Tensor<'a, T> {
    data: *mut T,
    pub(super) shape: &'a [i64],
    strides: [usize; NDIM_MAX],
}

impl<'a, T: Element> Tensor<'a, T> {
    /// Checks in the order device, element type, rank, shape, strides.
    ///
    /// # Safety
    /// `tensor` is NULL or a DLPack tensor that lives during `'a`.
    pub(super) unsafe fn borrow(tensor: *const DLTensor, name: &str) -> Result<Tensor<'a, T>> {
        let tensor = borrow(tensor, name)?;
        check_device(tensor, name)?;
        if tensor.dtype != T::TYPE {
            return Err(Error::ElementType {
                name: name.into(),
                expected: type_name(T::TYPE),
                got: type_name(tensor.dtype),
            });
        }
        // SAFETY: shape and strides hold `ndim` numbers by DLPack.
        let (shape, strides) = unsafe { layout(tensor, name) }?;
        let empty = shape.contains(&0);
        if tensor.data.is_null() && !empty {
            return Err(Error::NullPointer { argument: format!("{name}.data") });
        }
        let offset = check_span::<T>(tensor, name, shape, &strides)?;
        let data = tensor.data.cast::<u8>().wrapping_add(offset).cast::<T>();
        if !data.is_aligned() {
            let reason = format!("data at {data:p} is not aligned to {} bytes", align_of::<T>());
            return Err(Error::invalid(name, reason));
        }
        Ok(Tensor { data, shape, strides })
    }

    pub(super) fn size(&self, axis: usize) -> usize {
        self.shape[axis] as usize
    }

    fn count(&self) -> usize {
        self.shape.iter().map(|&size| size as usize).product()
    }

    pub(super) fn is_dense(&self) -> bool {
        let mut expected = 1;
        (0..self.shape.len()).rev().all(|axis| {
            let fits = self.size(axis) <= 1 || self.strides[axis] == expected;
            expected *= self.size(axis).max(1);
            fits
        })
    }

    fn check_dense(&self, name: &str) -> Result<()> {
        if self.is_dense() {
            return Ok(());
        }
        Err(Error::Strides {
            name: name.into(),
            expected: "dense row-major values".into(),
            got: format!("{:?}", &self.strides[..self.shape.len()]),
        })
    }

    /// The values of a row-major tensor without gaps.
    pub(super) fn dense(&self, name: &str) -> Result<&'a [T]> {
        self.check_dense(name)?;
        // SAFETY: DLPack promises that all elements of the shape are readable.
        unsafe { slice(self.data.cast_const(), self.count(), name) }
    }

    /// The value at these indices of these axes, and at 0 of the others; the tensor has the axes and
    /// the indices are below their sizes.
    pub(super) fn at<const N: usize>(&self, axes: [usize; N], index: [usize; N]) -> T {
        let offset: usize = axes.iter().zip(index).map(|(&axis, i)| self.strides[axis] * i).sum();
        debug_assert!(axes.iter().zip(index).all(|(&axis, i)| i < self.size(axis)));
        // SAFETY: within the shape, which DLPack promises to be readable.
        unsafe { self.data.add(offset).read() }
    }

    /// The memory of a dense tensor of exactly this shape, to be written; it may be uninitialised.
    ///
    /// # Safety
    /// The host lets this call alone use the tensor's memory during `'a`.
    pub(super) unsafe fn output(&self, name: &str, shape: &[i64]) -> Result<OutputArray<'a, T>> {
        if self.shape != shape {
            return Err(Error::shape(name, format!("{shape:?}"), format!("{:?}", self.shape)));
        }
        self.check_dense(name)?;
        // SAFETY: DLPack promises that all elements of the shape are there; the rest is the
        // caller's promise.
        unsafe { output_array(self.data, self.count(), name) }
    }

    /// Fills a dense tensor of exactly this shape.
    ///
    /// # Safety
    /// As [`Tensor::output`].
    pub(super) unsafe fn write(&self, name: &str, shape: &[i64], values: &[T]) -> Result<()> {
        self.output(name, shape)?.copy_from(values);
        Ok(())
    }
}

fn check_device(tensor: &DLTensor, name: &str) -> Result<()> {
    let device = tensor.device;
    let host_memory = matches!(device.device_type, DEVICE_CPU | DEVICE_CUDA_HOST);
    if host_memory && device.device_id >= 0 {
        return Ok(());
    }
    Err(Error::Device {
        name: name.into(),
        expected: "host memory (type 1 or 3)".into(),
        got: format!("type {} id {}", device.device_type, device.device_id),
    })
}

/// The offset in bytes, once the last element is known to have an address.
fn check_span<T>(
    tensor: &DLTensor,
    name: &str,
    shape: &[i64],
    strides: &[usize; NDIM_MAX],
) -> Result<usize> {
    let last = shape.iter().zip(strides).try_fold(0usize, |last, (&size, &stride)| {
        last.checked_add(stride.checked_mul((size as usize).saturating_sub(1))?)
    });
    let bytes = last.and_then(|last| last.checked_add(1)?.checked_mul(size_of::<T>()));
    let offset = usize::try_from(tensor.byte_offset).ok();
    let end = bytes.zip(offset).and_then(|(bytes, offset)| bytes.checked_add(offset));
    let fits = end
        .filter(|&end| end <= isize::MAX as usize && tensor.data.addr().checked_add(end).is_some());
    offset.filter(|_| fits.is_some()).ok_or_else(|| {
        let (strides, offset) = (&strides[..shape.len()], tensor.byte_offset);
        let reason = format!(
            "strides {strides:?} and byte_offset {offset} of shape {shape:?} leave the memory"
        );
        Error::invalid(name, reason)
    })
}

/// # Safety
/// `shape` and `strides` of `tensor` are NULL or hold `ndim` numbers.
unsafe fn layout<'a>(tensor: &DLTensor, name: &str) -> Result<(&'a [i64], [usize; NDIM_MAX])> {
    let ndim = usize::try_from(tensor.ndim).unwrap_or(usize::MAX);
    if ndim > NDIM_MAX {
        let expected = format!("0 to {NDIM_MAX} dimensions");
        return Err(Error::shape(name, expected, format!("{} dimensions", tensor.ndim)));
    }
    let shape = slice::<i64>(tensor.shape, ndim, "DLTensor.shape")?;
    let mut elements = 1i64;
    for &size in shape {
        let product = if size < 0 { None } else { elements.checked_mul(size.max(1)) };
        let fits = product.filter(|&product| product <= isize::MAX as i64 / 8);
        elements = fits.ok_or_else(|| {
            Error::shape(name, "sizes that fit into memory", format!("{shape:?}"))
        })?;
    }
    let mut strides = [0; NDIM_MAX];
    if tensor.strides.is_null() {
        let mut step = 1;
        for axis in (0..ndim).rev() {
            strides[axis] = step;
            step *= shape[axis].max(1) as usize;
        }
        return Ok((shape, strides));
    }
    let given = slice::<i64>(tensor.strides, ndim, "DLTensor.strides")?;
    for (axis, (&stride, &size)) in given.iter().zip(shape).enumerate() {
        if stride < 1 && size > 1 {
            return Err(Error::Strides {
                name: name.into(),
                expected: "positive strides".into(),
                got: format!("{given:?}"),
            });
        }
        strides[axis] = usize::try_from(stride).unwrap_or(0);
    }
    Ok((shape, strides))
}

/// What an exported tensor keeps alive until its deleter is called: independent of every handle.
struct Owner<M> {
    managed: M,
    _shape: Vec<i64>,
    _strides: Vec<i64>,
    _values: Box<dyn std::any::Any + Send>,
}

/// A tensor over memory of the library, for as long as that lives.
pub(super) fn describe<T: Element>(
    values: &mut [T],
    shape: &mut [i64],
    strides: &mut [i64],
) -> DLTensor {
    DLTensor {
        data: values.as_mut_ptr().cast(),
        device: DLDevice { device_type: DEVICE_CPU, device_id: 0 },
        ndim: shape.len() as i32,
        dtype: T::TYPE,
        shape: shape.as_mut_ptr(),
        strides: strides.as_mut_ptr(),
        byte_offset: 0,
    }
}

fn own<T: Element, M>(
    mut values: Vec<T>,
    shape: &[usize],
    managed: impl FnOnce(DLTensor) -> M,
) -> Box<Owner<M>> {
    let mut shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    let mut strides = vec![1i64; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    let tensor = describe(&mut values, &mut shape, &mut strides);
    Box::new(Owner {
        managed: managed(tensor),
        _shape: shape,
        _strides: strides,
        _values: Box::new(values),
    })
}

/// A form in which the host owns a tensor.
pub(super) trait Managed: Sized {
    /// `tensor` in this form, to be ended by the deleter.
    fn of(tensor: DLTensor) -> Self;
    /// What the deleter finds the owner by.
    fn context(&mut self) -> &mut *mut c_void;
}

impl Managed for DLManagedTensorVersioned {
    fn of(dl_tensor: DLTensor) -> DLManagedTensorVersioned {
        DLManagedTensorVersioned {
            version: [MAJOR_VERSION, MINOR_VERSION],
            manager_ctx: std::ptr::null_mut(),
            deleter: Some(delete_versioned),
            flags: 0,
            dl_tensor,
        }
    }

    fn context(&mut self) -> &mut *mut c_void {
        &mut self.manager_ctx
    }
}

/// The form of DLPack before 1.0.
impl Managed for DLManagedTensor {
    fn of(dl_tensor: DLTensor) -> DLManagedTensor {
        let deleter = Some(delete_legacy as unsafe extern "C" fn(*mut DLManagedTensor));
        DLManagedTensor { dl_tensor, manager_ctx: std::ptr::null_mut(), deleter }
    }

    fn context(&mut self) -> &mut *mut c_void {
        &mut self.manager_ctx
    }
}

/// `values` as a tensor that the host owns.
pub(super) fn export<T: Element, M: Managed>(values: Vec<T>, shape: &[usize]) -> *mut M {
    let owner = Box::into_raw(own(values, shape, M::of));
    // SAFETY: just made; the deleter takes the box back through its context.
    unsafe {
        *(*owner).managed.context() = owner.cast();
        &raw mut (*owner).managed
    }
}

unsafe extern "C" fn delete_versioned(tensor: *mut DLManagedTensorVersioned) {
    guard(std::ptr::null_mut(), || {
        if !tensor.is_null() {
            // SAFETY: made by `export`; DLPack calls a deleter once.
            drop(unsafe {
                Box::from_raw((*tensor).manager_ctx.cast::<Owner<DLManagedTensorVersioned>>())
            });
        }
        Ok(())
    });
}

unsafe extern "C" fn delete_legacy(tensor: *mut DLManagedTensor) {
    guard(std::ptr::null_mut(), || {
        if !tensor.is_null() {
            // SAFETY: made by `export`; DLPack calls a deleter once.
            drop(unsafe { Box::from_raw((*tensor).manager_ctx.cast::<Owner<DLManagedTensor>>()) });
        }
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What borrowing `tensor` as f32 and reading it densely answers.
    fn dense(tensor: &DLTensor) -> Result<Vec<f32>> {
        // SAFETY: the tests' tensors live during the call.
        unsafe { Tensor::<f32>::borrow(tensor, "t") }?.dense("t").map(<[f32]>::to_vec)
    }

    #[test]
    fn dense_tensors_are_read_with_and_without_strides_and_from_an_offset() {
        let (mut values, mut shape, mut strides) = ([1.0, 2.0, 3.0, 4.0], [2, 2], [2, 1]);
        let mut tensor = describe(&mut values, &mut shape, &mut strides);
        assert_eq!(dense(&tensor).unwrap(), [1.0, 2.0, 3.0, 4.0]);
        tensor.strides = std::ptr::null_mut();
        let mut tail = [1, 3];
        tensor.shape = tail.as_mut_ptr();
        tensor.byte_offset = 4;
        assert_eq!(dense(&tensor).unwrap(), [2.0, 3.0, 4.0]);
        let mut empty = [0, 5];
        tensor.shape = empty.as_mut_ptr();
        tensor.data = std::ptr::null_mut();
        tensor.byte_offset = 0;
        assert!(dense(&tensor).unwrap().is_empty());
    }

    #[test]
    fn each_fault_has_its_own_error_in_a_fixed_order() {
        let (mut values, mut shape, mut strides) = ([1.0; 4], [2, 2], [2, 1]);
        let good = describe(&mut values, &mut shape, &mut strides);
        let mut bad = DLTensor { device: DLDevice { device_type: 2, device_id: 0 }, ..good };
        bad.dtype.bits = 16;
        assert!(matches!(dense(&bad), Err(Error::Device { .. })));
        bad.device = good.device;
        let error = dense(&bad).unwrap_err().to_string();
        assert!(error.contains("expected element type f32, got f16"), "{error}");
        bad = DLTensor { ndim: 9, ..good };
        assert!(matches!(dense(&bad), Err(Error::Shape { .. })));
        let mut negative = [2, -2];
        bad = DLTensor { shape: negative.as_mut_ptr(), ..good };
        assert!(matches!(dense(&bad), Err(Error::Shape { .. })));
        let mut huge = [i64::MAX, 2];
        bad = DLTensor { shape: huge.as_mut_ptr(), ..good };
        assert!(matches!(dense(&bad), Err(Error::Shape { .. })));
        let mut turned = [1, 2];
        bad = DLTensor { strides: turned.as_mut_ptr(), ..good };
        assert!(matches!(dense(&bad), Err(Error::Strides { .. })));
        bad = DLTensor { data: std::ptr::null_mut(), ..good };
        assert!(matches!(dense(&bad), Err(Error::NullPointer { .. })));
        for byte_offset in [u64::MAX, u64::MAX / 2] {
            let error = dense(&DLTensor { byte_offset, ..good }).unwrap_err().to_string();
            assert!(error.contains(&byte_offset.to_string()), "{error}");
        }
        let mut apart = [i64::MAX, 1];
        bad = DLTensor { strides: apart.as_mut_ptr(), ..good };
        assert!(matches!(dense(&bad), Err(Error::InvalidArgument { .. })));
        bad = DLTensor { byte_offset: 2, ..good };
        assert!(matches!(dense(&bad), Err(Error::InvalidArgument { .. })));
        bad = DLTensor { shape: std::ptr::null_mut(), ..good };
        assert!(matches!(dense(&bad), Err(Error::NullPointer { .. })));
    }

    #[test]
    fn exported_tensors_own_their_memory_and_end_by_their_deleter_on_any_thread() {
        // SAFETY: each tensor is used until its deleter is called, once.
        unsafe {
            let versioned: *mut DLManagedTensorVersioned =
                export(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]);
            assert_eq!(((*versioned).version[0], (*versioned).dl_tensor.ndim), (1, 2));
            assert_eq!(dense(&(*versioned).dl_tensor).unwrap().len(), 6);
            let address = versioned as usize;
            std::thread::spawn(move || {
                let tensor = address as *mut DLManagedTensorVersioned;
                (*tensor).deleter.unwrap()(tensor);
            })
            .join()
            .unwrap();
            let legacy: *mut DLManagedTensor = export(vec![7i32], &[1]);
            assert_eq!((*legacy).dl_tensor.data.cast::<i32>().read(), 7);
            (*legacy).deleter.unwrap()(legacy);
        }
    }
}
